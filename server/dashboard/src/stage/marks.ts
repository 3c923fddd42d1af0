// Draws clouds of points: dots, their density and lines into the raster, and the arrows of the field with the canvas.

import { densityOf } from "./density";
import { type Clip, dot, line, packed, type Raster, rasterOf, stampOf } from "./raster";
import { type Bounds, boundsOf } from "./trajectory";

/** The place of the square of the data in a picture. */
export interface Plane {
  raster: Raster;
  clip: Clip;
  size: number; // device pixels, a square
  left: number;
  top: number;
  bounds: Bounds;
}

export const toX = (plane: Plane, x: number): number =>
  plane.left + plane.size * (0.5 + (x - plane.bounds.x) / (2 * plane.bounds.radius));
export const toY = (plane: Plane, y: number): number =>
  plane.top + plane.size * (0.5 - (y - plane.bounds.y) / (2 * plane.bounds.radiusY));
export const fromX = (plane: Plane, x: number): number =>
  plane.bounds.x + ((x - plane.left) / plane.size - 0.5) * 2 * plane.bounds.radius;
export const fromY = (plane: Plane, y: number): number =>
  plane.bounds.y - ((y - plane.top) / plane.size - 0.5) * 2 * plane.bounds.radiusY;

/** The colors of points [n]: an index into `colors` for each point, or the first color for all. */
export interface Tint {
  colors: string[];
  of: ArrayLike<number> | null;
}

export function drawPoints(
  plane: Plane,
  points: Float32Array,
  tint: Tint,
  radius: number,
  alpha: number,
): void {
  const { raster, clip, size, bounds } = plane;
  const colors = tint.colors.map(packed);
  const stamp = stampOf(radius, alpha);
  const scale = size / (2 * bounds.radius);
  const scaleY = size / (2 * bounds.radiusY);
  const left = plane.left + size / 2 - bounds.x * scale;
  const top = plane.top + size / 2 + bounds.y * scaleY;
  const n = points.length / 2;
  for (let i = 0; i < n; i++) {
    const rgb = colors[tint.of ? tint.of[i]! % colors.length : 0]!;
    dot(raster, clip, stamp, left + points[2 * i]! * scale, top - points[2 * i + 1]! * scaleY, rgb);
  }
}

/** The index of the cell that contains point i, in a grid of cells x cells, row by row from the top; -1 outside of the plane. */
function cellOf(bounds: Bounds, points: Float32Array, i: number, cells: number): number {
  const { x, y, radius, radiusY } = bounds;
  const column = Math.floor(((points[2 * i]! - x + radius) * cells) / (2 * radius));
  const row = Math.floor(((y + radiusY - points[2 * i + 1]!) * cells) / (2 * radiusY));
  return column >= 0 && row >= 0 && column < cells && row < cells ? row * cells + column : -1;
}

const MOST_SEEN = 150; // maximum alpha, so that the dots remain visible

/** Draws the density of the points as a tint behind everything else. */
export function drawDensity(plane: Plane, points: Float32Array, color: string): void {
  const { raster, clip } = plane;
  const { columns, rows, cell, values } = densityOf(plane, points);
  let most = 1e-9;
  for (const value of values) most = Math.max(most, value);
  for (let i = 0; i < values.length; i++) values[i] = MOST_SEEN * (values[i]! / most) ** 0.7;
  const shade = packed(color);
  const across = new Float32Array(columns); // the density at the height of a pixel, interpolated between two rows
  for (let y = 0; y < raster.height; y++) {
    const down = Math.min(rows - 1, Math.max(0, (y + 0.5) / cell - 0.5));
    const above = Math.floor(down) * columns;
    const below = Math.min(above + columns, columns * (rows - 1));
    const part = down % 1;
    for (let i = 0; i < columns; i++)
      across[i] = values[above + i]! + part * (values[below + i]! - values[above + i]!);
    let at = y * raster.width + clip.from;
    for (let x = clip.from; x < clip.to; x++) {
      const place = Math.min(columns - 1, Math.max(0, (x - clip.from + 0.5) / cell - 0.5));
      const i = place | 0;
      const next = across[Math.min(columns - 1, i + 1)]!;
      const alpha = across[i]! + (place - i) * (next - across[i]!);
      raster.pixels[at++] = (alpha << 24) | shade;
    }
  }
}

/** Draws a line from each point to its estimate. */
export function drawLines(
  plane: Plane,
  from: Float32Array,
  to: Float32Array,
  color: string,
  alpha: number,
): void {
  const rgb = packed(color);
  const n = Math.min(from.length / 2, 1500);
  for (let i = 0; i < 2 * n; i += 2)
    line(
      plane.raster,
      plane.clip,
      toX(plane, from[i]!),
      toY(plane, from[i + 1]!),
      toX(plane, to[i]!),
      toY(plane, to[i + 1]!),
      rgb,
      alpha,
    );
}

const GRID = 18;

/** Draws the learned vector field: an arrow in each cell with points, in their mean direction of motion. */
export function drawField(
  context: CanvasRenderingContext2D,
  plane: Plane,
  from: Float32Array,
  to: Float32Array,
  color: string,
): void {
  const { bounds } = plane;
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
  context.strokeStyle = color;
  context.lineWidth = Math.max(1, plane.size / 500);
  context.beginPath();
  for (let row = 0; row < GRID; row++)
    for (let column = 0; column < GRID; column++) {
      const at = 3 * (row * GRID + column);
      const count = sums[at + 2]!;
      if (count === 0) continue;
      const dx = sums[at]! / count / bounds.radius;
      const dy = -sums[at + 1]! / count / bounds.radiusY;
      const size = Math.hypot(dx, dy) || 1;
      const length = cell * 0.42 * Math.min(1, size / 0.35 + 0.25);
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

/** Draws the path of one point, [frames][2]: a ring at its start, a disc at its end, and a dot at the position `now` (0..1). */
export function drawWay(
  context: CanvasRenderingContext2D,
  plane: Plane,
  way: Float32Array,
  now: number,
  color: string,
): void {
  const { size } = plane;
  const last = way.length / 2 - 1;
  context.strokeStyle = context.fillStyle = color;
  context.lineWidth = Math.max(2, size / 300);
  context.beginPath();
  for (let k = 0; k <= last; k++) context.lineTo(toX(plane, way[2 * k]!), toY(plane, way[2 * k + 1]!));
  context.stroke();
  for (const [k, radius] of [
    [0, size / 90],
    [Math.round(now * last), size / 140],
    [last, size / 90],
  ] as const) {
    context.beginPath();
    context.arc(toX(plane, way[2 * k]!), toY(plane, way[2 * k + 1]!), radius, 0, 7);
    if (k === 0) context.stroke();
    else context.fill();
  }
}

/** Draws a cloud of points that fills a canvas. */
export function drawAlone(
  canvas: HTMLCanvasElement,
  points: Float32Array,
  tint: Tint,
  radius: number,
  alpha: number,
): void {
  const raster = rasterOf(canvas.width, canvas.height);
  const bounds = boundsOf(points, 2);
  bounds.radius *= 0.92; // no room for noise is needed
  bounds.radiusY *= 0.92;
  const plane = { raster, clip: { from: 0, to: raster.width }, size: raster.width, left: 0, top: 0, bounds };
  drawPoints(plane, points, tint, radius, alpha);
  canvas.getContext("2d")!.putImageData(raster.image, 0, 0);
}
