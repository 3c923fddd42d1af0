// A drawing as points: brush and spray add points, the eraser removes them, and a word is filled with them.
import { signal } from "@preact/signals";

export type Tool = "brush" | "spray" | "eraser";
export const TOOLS: [Tool, string][] = [
  ["brush", "Brush"],
  ["spray", "Spray"],
  ["eraser", "Eraser"],
];

export const SIZE = 480; // of the canvas, in its own pixels
const MOST = 20000;
export const tool = signal<Tool>("brush");
export const points = signal<[number, number][]>([]); // in canvas pixels

/** A random offset, uniform in a disc, which gives a stroke its width. */
function jitter(radius: number): [number, number] {
  const r = radius * Math.sqrt(Math.random());
  const angle = 2 * Math.PI * Math.random();
  return [r * Math.cos(angle), r * Math.sin(angle)];
}

export function stroke(from: [number, number], to: [number, number]): void {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  if (tool.value === "eraser") {
    points.value = points.value.filter(([x, y]) => Math.hypot(x - to[0], y - to[1]) > 16);
    return;
  }
  const [density, radius] = tool.value === "brush" ? [0.8, 2.5] : [0.6, 22];
  const count = Math.max(tool.value === "brush" ? 1 : 6, Math.round(length * density));
  const fresh: [number, number][] = [];
  for (let i = 0; i < count; i++) {
    const part = (i + Math.random()) / count;
    const [dx, dy] = jitter(radius);
    fresh.push([from[0] + part * (to[0] - from[0]) + dx, from[1] + part * (to[1] - from[1]) + dy]);
  }
  points.value = [...points.value, ...fresh].slice(-MOST);
}

/** Draws a word as points: random ones of the pixels that the browser's letters cover. */
export function write(text: string): void {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  let size = 300;
  do {
    context.font = `600 ${size}px system-ui, sans-serif`;
    size -= 10;
  } while (size > 20 && context.measureText(text).width > SIZE * 0.9);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, SIZE / 2, SIZE / 2);
  const { data } = context.getImageData(0, 0, SIZE, SIZE);
  const covered: [number, number][] = [];
  for (let i = 0; i < SIZE * SIZE; i++)
    if (data[4 * i + 3]! > 128) covered.push([i % SIZE, Math.floor(i / SIZE)]);
  const wanted = Math.min(4000, covered.length);
  points.value = Array.from({ length: wanted }, () => {
    const [x, y] = covered[Math.floor(Math.random() * covered.length)]!;
    return [x + Math.random(), y + Math.random()];
  });
}

/** Converts canvas pixels to data units: the canvas is [-1, 1] x [-1, 1], with y pointing up. */
export const toData = ([x, y]: [number, number]): [number, number] => [
  +((2 * x) / SIZE - 1).toFixed(4),
  +(1 - (2 * y) / SIZE).toFixed(4),
];

/** Starts a drawing with points in data units, scaled to fill the canvas. */
export function take(drawing: [number, number][]): void {
  const most = drawing.reduce((m, [x, y]) => Math.max(m, Math.abs(x), Math.abs(y)), 1);
  points.value = drawing.map(([x, y]) => [((x / most + 1) * SIZE) / 2, ((1 - y / most) * SIZE) / 2]);
}
