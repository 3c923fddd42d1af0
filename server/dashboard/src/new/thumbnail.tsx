// A data set as a small picture.
import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { drawOf } from "../data";
import { drawAlone } from "../stage/marks";
import { ink } from "../theme";

const SIZE = 112;
const POINTS = 500;

async function paint(canvas: HTMLCanvasElement, id: string, colour: string): Promise<void> {
  const points = (await drawOf(id)).subarray(0, 2 * POINTS);
  drawAlone(canvas, points, { colours: [colour], of: null }, 1.3, 0.7);
}

export function Thumbnail({ id }: { id: string }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const colour = ink.value.point;
    // A picture that does not come is left out; the name is there.
    if (ref.current) void paint(ref.current, id, colour).catch(() => undefined);
  });
  return <canvas width={SIZE} height={SIZE} ref={ref} />;
}
