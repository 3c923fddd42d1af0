// Drawing clouds of points on a canvas: sprites for points, a smoothed histogram for density, arrows for the field.
import type { Bounds, Trajectory } from "./trajectory";

// Okabe and Ito's colours: told apart by all eyes.
export const CLASS_COLOURS = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#8c6d31",
  "#999999",
];

export interface Plane {
  context: CanvasRenderingContext2D;
  size: number; // device pixels, a square
  left: number;
  top: number;
  bounds: Bounds;
}

export const toX = (plane: Plane, x: number): number =>
  plane.left + plane.size * (0.5 + (x - plane.bounds.x) / (2 * plane.bounds.radius));
export const toY = (plane: Plane, y: number): number =>
  plane.top + plane.size * (0.5 - (y - plane.bounds.y) / (2 * plane.bounds.radius));
export const fromX = (plane: Plane, x: number): number =>
  plane.bounds.x + ((x - plane.left) / plane.size - 0.5) * 2 * plane.bounds.radius;
export const fromY = (plane: Plane, y: number): number =>
  plane.bounds.y - ((y - plane.top) / plane.size - 0.5) * 2 * plane.bounds.radius;

const sprites = new Map<string, HTMLCanvasElement>();

function sprite(colour: string, radius: number, alpha: number): HTMLCanvasElement {
  const key = `${colour}/${radius}/${alpha}`;
  const known = sprites.get(key);
  if (known) return known;
  const made = document.createElement("canvas");
  made.width = made.height = Math.ceil(radius * 2) + 2;
  const context = made.getContext("2d")!;
  context.globalAlpha = alpha;
  context.fillStyle = colour;
  context.beginPath();
  context.arc(made.width / 2, made.width / 2, radius, 0, 7);
  context.fill();
  if (sprites.size > 64) sprites.clear();
  sprites.set(key, made);
  return made;
}

/** Writes the points of an array [frames][n][dim] at a fractional frame into out [n][2]. */
export function interpolate(
  frames: Float32Array,
  n: number,
  dim: number,
  frame: number,
  out: Float32Array,
): Float32Array {
  const count = frames.length / (n * dim);
  const first = Math.min(count - 1, Math.max(0, Math.floor(frame)));
  const second = Math.min(count - 1, first + 1);
  const part = Math.min(1, Math.max(0, frame - first));
  const a = first * n * dim;
  const b = second * n * dim;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < 2; j++) {
      const at = i * dim + j;
      const from = j < dim ? frames[a + at]! : 0;
      const to = j < dim ? frames[b + at]! : 0;
      out[2 * i + j] = from + part * (to - from);
    }
  return out;
}

export function drawPoints(
  plane: Plane,
  points: Float32Array,
  labels: number[] | null,
  colour: string,
  radius: number,
  alpha: number,
): void {
  const { context } = plane;
  const n = points.length / 2;
  for (let i = 0; i < n; i++) {
    const label = labels?.[i];
    const tint = label === undefined ? colour : CLASS_COLOURS[label % CLASS_COLOURS.length]!;
    const image = sprite(tint, radius, alpha);
    const half = image.width / 2;
    context.drawImage(image, toX(plane, points[2 * i]!) - half, toY(plane, points[2 * i + 1]!) - half);
  }
}

const CELLS = 72;
const density = new Float32Array(CELLS * CELLS);
let densityCanvas: HTMLCanvasElement | undefined;

/** A histogram of the points, blurred a little, as a tint behind them. */
export function drawDensity(plane: Plane, points: Float32Array, colour: [number, number, number]): void {
  density.fill(0);
  const n = points.length / 2;
  const scale = CELLS / (2 * plane.bounds.radius);
  for (let i = 0; i < n; i++) {
    const column = Math.floor((points[2 * i]! - plane.bounds.x + plane.bounds.radius) * scale);
    const row = Math.floor((plane.bounds.y + plane.bounds.radius - points[2 * i + 1]!) * scale);
    for (let y = row - 1; y <= row + 1; y++)
      for (let x = column - 1; x <= column + 1; x++)
        if (x >= 0 && y >= 0 && x < CELLS && y < CELLS)
          density[y * CELLS + x]! += (2 - Math.abs(x - column)) * (2 - Math.abs(y - row));
  }
  let most = 1e-9;
  for (const value of density) most = Math.max(most, value);
  densityCanvas ??= document.createElement("canvas");
  densityCanvas.width = densityCanvas.height = CELLS;
  const context = densityCanvas.getContext("2d")!;
  const image = context.createImageData(CELLS, CELLS);
  for (let i = 0; i < CELLS * CELLS; i++) {
    image.data.set(colour, 4 * i);
    image.data[4 * i + 3] = 200 * Math.sqrt(density[i]! / most);
  }
  context.putImageData(image, 0, 0);
  plane.context.imageSmoothingEnabled = true;
  plane.context.drawImage(densityCanvas, plane.left, plane.top, plane.size, plane.size);
}

/** Lines from each point to where the model thinks that it belongs. */
export function drawLines(plane: Plane, from: Float32Array, to: Float32Array, colour: string): void {
  const { context } = plane;
  const n = Math.min(from.length / 2, 1500);
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let i = 0; i < n; i++) {
    context.moveTo(toX(plane, from[2 * i]!), toY(plane, from[2 * i + 1]!));
    context.lineTo(toX(plane, to[2 * i]!), toY(plane, to[2 * i + 1]!));
  }
  context.stroke();
}

const GRID = 18;

/** The mean direction in which points of a cell are moved: a picture of the learned field where there are points. */
export function drawField(plane: Plane, from: Float32Array, to: Float32Array, colour: string): void {
  const { context, bounds } = plane;
  const sums = new Float32Array(GRID * GRID * 3);
  const n = from.length / 2;
  for (let i = 0; i < n; i++) {
    const column = Math.floor((GRID * (from[2 * i]! - bounds.x + bounds.radius)) / (2 * bounds.radius));
    const row = Math.floor((GRID * (bounds.y + bounds.radius - from[2 * i + 1]!)) / (2 * bounds.radius));
    if (column < 0 || row < 0 || column >= GRID || row >= GRID) continue;
    const at = 3 * (row * GRID + column);
    sums[at]! += to[2 * i]! - from[2 * i]!;
    sums[at + 1]! += to[2 * i + 1]! - from[2 * i + 1]!;
    sums[at + 2]! += 1;
  }
  const cell = plane.size / GRID;
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1, plane.size / 500);
  context.beginPath();
  for (let row = 0; row < GRID; row++)
    for (let column = 0; column < GRID; column++) {
      const at = 3 * (row * GRID + column);
      const count = sums[at + 2]!;
      if (count === 0) continue;
      const dx = sums[at]! / count;
      const dy = -sums[at + 1]! / count;
      const size = Math.hypot(dx, dy) || 1;
      const length = cell * 0.42 * Math.min(1, size / (0.35 * bounds.radius) + 0.25);
      const x = plane.left + (column + 0.5) * cell;
      const y = plane.top + (row + 0.5) * cell;
      const ex = x + (dx / size) * length;
      const ey = y + (dy / size) * length;
      context.moveTo(x - (dx / size) * length, y - (dy / size) * length);
      context.lineTo(ex, ey);
      const head = length * 0.5;
      for (const turn of [2.6, -2.6]) {
        const angle = Math.atan2(dy, dx) + turn;
        context.moveTo(ex, ey);
        context.lineTo(ex + Math.cos(angle) * head, ey + Math.sin(angle) * head);
      }
    }
  context.stroke();
}

/** The way of one point through all frames. */
export function drawPath(plane: Plane, t: Trajectory, index: number, colour: string): void {
  const { context } = plane;
  const frames = t.timesteps.length;
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1.5, plane.size / 350);
  context.beginPath();
  for (let k = 0; k < frames; k++) {
    const at = (k * t.n + index) * t.dim;
    const x = toX(plane, t.x[at]!);
    const y = toY(plane, t.dim > 1 ? t.x[at + 1]! : 0);
    if (k === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
  context.stroke();
}
