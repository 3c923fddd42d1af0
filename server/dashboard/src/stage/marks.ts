// Drawing clouds of points on a canvas: stamps for points, a smoothed histogram for density, arrows for the field.
import type { Bounds } from "./trajectory";

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

/** A round dot, made once: stamping it is much faster than drawing a circle. */
function sprite(colour: string, radius: number): HTMLCanvasElement {
  const key = `${colour}/${radius}`;
  const known = sprites.get(key);
  if (known) return known;
  const made = document.createElement("canvas");
  made.width = made.height = Math.ceil(radius * 2) + 2;
  const context = made.getContext("2d")!;
  context.fillStyle = colour;
  context.beginPath();
  context.arc(made.width / 2, made.width / 2, radius, 0, 7);
  context.fill();
  if (sprites.size > 256) sprites.clear();
  sprites.set(key, made);
  return made;
}

/** What colours points [n]: an index into `colours` for each, or the first of them for all. */
export interface Tint {
  colours: string[];
  of: ArrayLike<number> | null;
}

export function drawPoints(
  plane: Plane,
  points: Float32Array,
  tint: Tint,
  radius: number,
  alpha: number,
): void {
  const { context, size, bounds } = plane;
  const images = tint.colours.map((colour) => sprite(colour, radius));
  const half = images[0]!.width / 2;
  const scale = size / (2 * bounds.radius);
  const left = plane.left + size / 2 - bounds.x * scale - half;
  const top = plane.top + size / 2 + bounds.y * scale - half;
  const n = points.length / 2;
  context.globalAlpha = alpha;
  for (let i = 0; i < n; i++) {
    const image = images[tint.of ? tint.of[i]! % images.length : 0]!;
    context.drawImage(image, left + points[2 * i]! * scale, top - points[2 * i + 1]! * scale);
  }
  context.globalAlpha = 1;
}

/** Which of cells x cells the point i lies in, row by row from the top; -1 outside of the plane. */
function cellOf(bounds: Bounds, points: Float32Array, i: number, cells: number): number {
  const scale = cells / (2 * bounds.radius);
  const column = Math.floor((points[2 * i]! - bounds.x + bounds.radius) * scale);
  const row = Math.floor((bounds.y + bounds.radius - points[2 * i + 1]!) * scale);
  return column >= 0 && row >= 0 && column < cells && row < cells ? row * cells + column : -1;
}

const CELLS = 96;
const density = new Float32Array(CELLS * CELLS);
const blurred = new Float32Array(CELLS * CELLS);
let densityCanvas: HTMLCanvasElement | undefined;

/** A mean over five cells in one direction; three of them in both make a round spot of a point. */
function blur(from: Float32Array, to: Float32Array, step: number): void {
  const across = step === 1 ? CELLS : 1;
  for (let line = 0; line < CELLS; line++) {
    const start = line * across;
    let sum = 0;
    for (let i = -2; i < CELLS; i++) {
      if (i + 2 < CELLS) sum += from[start + (i + 2) * step]!;
      if (i - 3 >= 0) sum -= from[start + (i - 3) * step]!;
      if (i >= 0) to[start + i * step] = sum;
    }
  }
}

/** A smoothed histogram of the points, as a tint behind them. */
export function drawDensity(plane: Plane, points: Float32Array, colour: [number, number, number]): void {
  density.fill(0);
  const n = points.length / 2;
  for (let i = 0; i < n; i++) {
    const cell = cellOf(plane.bounds, points, i, CELLS);
    if (cell >= 0) density[cell]! += 1;
  }
  for (let pass = 0; pass < 2; pass++) {
    blur(density, blurred, 1);
    blur(blurred, density, CELLS);
  }
  let most = 1e-9;
  for (const value of density) most = Math.max(most, value);
  densityCanvas ??= document.createElement("canvas");
  densityCanvas.width = densityCanvas.height = CELLS;
  const context = densityCanvas.getContext("2d")!;
  const image = context.createImageData(CELLS, CELLS);
  for (let i = 0; i < CELLS * CELLS; i++) {
    image.data.set(colour, 4 * i);
    image.data[4 * i + 3] = 190 * Math.sqrt(density[i]! / most);
  }
  context.putImageData(image, 0, 0);
  plane.context.imageSmoothingEnabled = true;
  plane.context.imageSmoothingQuality = "high";
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
    const at = 3 * cellOf(bounds, from, i, GRID);
    if (at < 0) continue;
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

/** The way of one point, [frames][2]: a ring where it starts, a disc where it lands. */
export function drawWay(plane: Plane, way: Float32Array, colour: string): void {
  const { context, size } = plane;
  const last = way.length / 2 - 1;
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = Math.max(2, size / 300);
  context.beginPath();
  for (let k = 0; k <= last; k++) context.lineTo(toX(plane, way[2 * k]!), toY(plane, way[2 * k + 1]!));
  context.stroke();
  for (const k of [0, last]) {
    context.beginPath();
    context.arc(toX(plane, way[2 * k]!), toY(plane, way[2 * k + 1]!), size / 90, 0, 7);
    if (k === last) context.fill();
    else context.stroke();
  }
}
