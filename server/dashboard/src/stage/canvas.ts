// A canvas that fills its place, in the pixels of the screen.
import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

/** The canvas is drawn again when its size changes, or a signal that `draw` reads. */
export function useCanvas(draw: (canvas: HTMLCanvasElement) => void) {
  const ref = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    if (ref.current) draw(ref.current);
  });
  useEffect(() => {
    const canvas = ref.current!;
    const observer = new ResizeObserver(() => {
      canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
      canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
      draw(canvas);
    });
    observer.observe(canvas);
    return () => observer.disconnect();
  }, []);
  return ref;
}
