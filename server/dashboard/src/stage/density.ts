// The density of the points in a picture: a histogram over cells, smoothed.
import { type Plane, toX, toY } from "./marks";

/** The density over the whole picture of a plane, [rows][columns]. */
interface Density {
  columns: number;
  rows: number;
  cell: number; // side, in pixels
  values: Float32Array;
}

const CELLS = 128; // along each side of the square of the data
const REACH = 3; // cells to each side of a cell that are averaged
const PASSES = 3; // number of passes; three turn a point into a round spot

let rooms: [Float32Array, Float32Array] = [new Float32Array(), new Float32Array()];

/** Sums the neighbors of each cell along lines of `length` cells. Cells are `step` apart, and lines start `stride` apart. */
function blur(
  from: Float32Array,
  to: Float32Array,
  length: number,
  step: number,
  lines: number,
  stride: number,
): void {
  for (let line = 0; line < lines; line++) {
    const start = line * stride;
    let sum = 0;
    for (let i = -REACH; i < length; i++) {
      if (i + REACH < length) sum += from[start + (i + REACH) * step]!;
      if (i > REACH) sum -= from[start + (i - REACH - 1) * step]!;
      if (i >= 0) to[start + i * step] = sum;
    }
  }
}

/** Computes the density. The next call overwrites the values. */
export function densityOf(plane: Plane, points: Float32Array): Density {
  const { clip, raster, size } = plane;
  const cell = size / CELLS;
  const columns = Math.max(1, Math.ceil((clip.to - clip.from) / cell));
  const rows = Math.max(1, Math.ceil(raster.height / cell));
  if (rooms[0].length !== columns * rows)
    rooms = [new Float32Array(columns * rows), new Float32Array(columns * rows)];
  const [values, blurred] = rooms;
  values.fill(0);
  for (let i = 0; i < points.length; i += 2) {
    const column = Math.floor((toX(plane, points[i]!) - clip.from) / cell);
    const row = Math.floor(toY(plane, points[i + 1]!) / cell);
    if (column >= 0 && row >= 0 && column < columns && row < rows) values[row * columns + column]! += 1;
  }
  for (let pass = 0; pass < PASSES; pass++) {
    blur(values, blurred, columns, 1, rows, columns);
    blur(blurred, values, rows, columns, columns, 1);
  }
  return { columns, rows, cell, values };
}
