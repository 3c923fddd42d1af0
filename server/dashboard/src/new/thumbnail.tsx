// A data set as a small picture, which is loaded when it becomes visible.
import { useEffect, useRef } from "preact/hooks";
import { drawOf } from "../data";
import { drawAlone } from "../stage/marks";
import { ink } from "../theme";

const SIZE = 112;
const POINTS = 500;

async function paint(canvas: HTMLCanvasElement, id: string, color: string): Promise<void> {
  const points = (await drawOf(id)).subarray(0, 2 * POINTS);
  drawAlone(canvas, points, { colors: [color], of: null }, 1.3, 0.7);
}

export function Thumbnail({ id, color }: { id: string; color?: string }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const shown = color ?? ink.value.point;
  useEffect(() => {
    const observer = new IntersectionObserver(([seen]) => {
      if (!seen?.isIntersecting) return;
      observer.disconnect();
      // If the picture cannot be loaded, the name below it remains.
      void paint(seen.target as HTMLCanvasElement, id, shown).catch(() => undefined);
    });
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, [id, shown]);
  return <canvas width={SIZE} height={SIZE} ref={ref} />;
}
