// A data set as a small picture, which is asked for when it comes into view.
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
      // A picture that does not come is left out; the name is there.
      void paint(seen.target as HTMLCanvasElement, id, shown).catch(() => undefined);
    });
    observer.observe(ref.current!);
    return () => observer.disconnect();
  }, [id, shown]);
  return <canvas width={SIZE} height={SIZE} ref={ref} />;
}
