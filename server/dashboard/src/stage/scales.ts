// The scales of a picture whose axes are quantities: round numbers along the bottom and left edges, and the names of the axes.
import { fromX, fromY, type Plane, toX, toY } from "./marks";

interface Colors {
  text: string;
  grid: string;
}

/** About `count` round numbers between two values. */
export function roundNumbers(low: number, high: number, count: number): number[] {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0) || !Number.isFinite(raw)) return [];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5, 10].find((each) => each * power >= raw) ?? 10) * power;
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** A number in few characters. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(1).replace("e+", "e");
  return size >= 1e4 ? `${+(value / 1000).toPrecision(3)}k` : String(+value.toPrecision(3));
}

const GAP = 90; // minimum distance between two numbers, in CSS pixels
const MARGIN = 16; // distance from the edge to the line of numbers

/** Draws the scales. `below` is the height of the title at the top, in pixels of the canvas. */
export function drawScales(
  context: CanvasRenderingContext2D,
  plane: Plane,
  [nameX, nameY]: [string, string],
  colors: Colors,
  below: number,
): void {
  const px = devicePixelRatio;
  const { from, to } = plane.clip;
  const { height } = plane.raster;
  const low = height - MARGIN * px;
  context.font = `${Math.round(11 * px)}px system-ui, sans-serif`;
  context.fillStyle = colors.text;
  context.strokeStyle = colors.grid;
  context.lineWidth = px;
  context.textAlign = "center";
  context.beginPath();
  const across = roundNumbers(fromX(plane, from), fromX(plane, to), (to - from) / (GAP * px));
  for (const value of across) {
    const x = toX(plane, value);
    if (x < from + 40 * px || x > to - 20 * px) continue;
    context.moveTo(x, low - 4 * px);
    context.lineTo(x, low);
    context.fillText(shortNumber(value), x, height - 4 * px);
  }
  context.textAlign = "left";
  if (nameY) {
    const up = roundNumbers(fromY(plane, low), fromY(plane, below), height / (0.7 * GAP * px));
    for (const value of up) {
      const y = toY(plane, value);
      if (y > low - 12 * px || y < below + 30 * px) continue;
      context.moveTo(from, y);
      context.lineTo(from + 5 * px, y);
      context.fillText(shortNumber(value), from + 8 * px, y + 4 * px);
    }
  }
  context.stroke();
  context.font = `600 ${Math.round(12 * px)}px system-ui, sans-serif`;
  if (nameY) context.fillText(`↑ ${nameY}`, from + 8 * px, below + 16 * px, (to - from) / 2);
  context.textAlign = "right";
  context.fillText(`${nameX} →`, to - 8 * px, low - 8 * px, (to - from) / 2);
  context.textAlign = "left";
}
