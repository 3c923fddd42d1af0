// A single column as a histogram: bars for the points, and a line for the data.
import { fromX, type Plane, type Tint, toX } from "./marks";

const BARS = 60;
const FLOOR = 34; // CSS pixels below the bars, for the scale

interface Beside {
  data: Float32Array | null;
  dataColor: string;
  other: Float32Array | null; // also drawn as a line
  otherColor: string;
}

/** The share of points [n][2] in each bar between two values of x. Only points that `pick` accepts are counted. */
function sharesOf(
  points: Float32Array,
  low: number,
  high: number,
  pick: (i: number) => boolean = () => true,
) {
  const n = points.length / 2;
  const shares = new Float32Array(BARS);
  for (let i = 0; i < n; i++) {
    const bar = Math.floor((BARS * (points[2 * i]! - low)) / (high - low));
    if (bar >= 0 && bar < BARS && pick(i)) shares[bar]! += 1 / n;
  }
  return shares;
}

export function drawHistogram(
  context: CanvasRenderingContext2D,
  plane: Plane,
  points: Float32Array,
  tint: Tint,
  { data, dataColor, other, otherColor }: Beside,
): void {
  const px = devicePixelRatio;
  const { from, to } = plane.clip;
  const [low, high] = [fromX(plane, from), fromX(plane, to)];
  const all = sharesOf(points, low, high);
  const ofData = data && sharesOf(data, low, high);
  const most = Math.max(...all, ...(ofData ?? []), 1 / BARS);
  const ground = plane.raster.height - FLOOR * px;
  const scale = (0.8 * ground) / most;
  const left = (bar: number) => toX(plane, low + (bar * (high - low)) / BARS);

  const heights = new Float32Array(BARS); // of the classes that are already drawn
  const groups = tint.of ? tint.colors.map((_, i) => i) : [0];
  for (const group of groups) {
    const shares = tint.of
      ? sharesOf(points, low, high, (i) => tint.of![i]! % tint.colors.length === group)
      : all;
    context.fillStyle = tint.colors[group]!;
    for (let bar = 0; bar < BARS; bar++) {
      const height = shares[bar]! * scale;
      context.fillRect(left(bar), ground - heights[bar]! - height, left(bar + 1) - left(bar) - px, height);
      heights[bar]! += height;
    }
  }
  const outline = (shares: Float32Array, color: string) => {
    context.strokeStyle = color;
    context.lineWidth = 2 * px;
    context.beginPath();
    for (let bar = 0; bar < BARS; bar++) {
      context.lineTo(left(bar), ground - shares[bar]! * scale);
      context.lineTo(left(bar + 1), ground - shares[bar]! * scale);
    }
    context.stroke();
  };
  if (ofData) outline(ofData, dataColor);
  if (other) outline(sharesOf(other, low, high), otherColor);
}
