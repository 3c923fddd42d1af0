// A sheet of images: lines of tiles, each line with a name, as large as a box of the stage allows.

export type Shape = [number, number, number]; // height, width, channels

/** An image in an array of numbers from 0 to 255, between two of its frames. */
export interface Tile {
  values: Float32Array;
  at: number; // where the image begins
  next: number; // where it begins in the next frame
  part: number; // from 0, all of the first, to 1, all of the second
}

export interface Sheet {
  title: string;
  shape: Shape;
  lines: { name: string; tiles: Tile[] }[];
  heads: string[]; // above the tiles of all lines; may be empty
  current: number; // the head that is marked; -1: none
  fixed: boolean; // whether lines must be rows, because time runs from left to right
}

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

const GAP = 2; // between tiles
const FONT = 12;
const TITLE = 22;

/** Writes the pixels of a tile, as the bytes of an image of the browser. */
function fill(out: Uint8ClampedArray, from: number, { values, at, next, part }: Tile, shape: Shape): void {
  const [height, width, channels] = shape;
  for (let p = 0; p < height * width; p++)
    for (let c = 0; c < 4; c++) {
      const value = p * channels + Math.min(c, channels - 1);
      const a = values[at + value]!;
      out[from + 4 * p + c] = c === 3 ? 255 : a + part * (values[next + value]! - a); // clamped, and rounded
    }
}

/** All tiles below one another, each pixel once. */
function strip(tiles: Tile[], shape: Shape): HTMLCanvasElement {
  const [height, width] = shape;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height * tiles.length;
  const image = new ImageData(canvas.width, canvas.height);
  for (const [i, tile] of tiles.entries()) fill(image.data, 4 * i * height * width, tile, shape);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}

/** How many times larger than its pixels an image is, if so many are beside and below each other. */
function scaleIn(box: Box, across: number, down: number, [height, width]: Shape, gap: number): number {
  return Math.max(0, Math.min((box.width / across - gap) / width, (box.height / down - gap) / height));
}

interface Names {
  rows: string[];
  columns: string[];
}

/** The room within a box that names at the left and at the top leave. */
function inside(context: CanvasRenderingContext2D, box: Box, names: Names, px: number): Box {
  const widths = names.rows.map((name) => context.measureText(name).width);
  const left = Math.min(box.width / 4, Math.max(0, ...widths) + (names.rows.some(Boolean) ? 8 * px : 0));
  const top = names.columns.some(Boolean) ? (FONT + 6) * px : 0;
  return { left: box.left + left, top: box.top + top, width: box.width - left, height: box.height - top };
}

/** Draws a sheet in the middle of a box, both in pixels of the screen. */
export function drawSheet(
  context: CanvasRenderingContext2D,
  box: Box,
  sheet: Sheet,
  colors: { text: string; accent: string },
): void {
  const px = devicePixelRatio;
  const { shape, lines, heads } = sheet;
  const most = Math.max(1, ...lines.map(({ tiles }) => tiles.length));
  const title = sheet.title ? TITLE * px : 0;
  const free = { ...box, top: box.top + title, height: box.height - title };
  context.font = `${Math.round(FONT * px)}px system-ui, sans-serif`;
  context.fillStyle = colors.text;
  if (sheet.title) context.fillText(sheet.title, box.left, box.top + (FONT + 2) * px, box.width);

  const upright: Names = { rows: lines.map(({ name }) => name), columns: heads };
  const turned: Names = { rows: heads, columns: upright.rows };
  const gap = GAP * px;
  const rooms = [upright, turned].map((names) => inside(context, free, names, px)) as [Box, Box];
  const scales = [
    scaleIn(rooms[0], most, lines.length, shape, gap),
    sheet.fixed ? 0 : scaleIn(rooms[1], lines.length, most, shape, gap),
  ] as const;
  const isTurned = scales[1] > scales[0];
  const [room, names, raw] = isTurned ? [rooms[1], turned, scales[1]] : [rooms[0], upright, scales[0]];
  const scale = raw >= 2 ? Math.floor(2 * raw) / 2 : raw; // so that the pixels are equally large, or nearly
  const [across, down] = isTurned ? [lines.length, most] : [most, lines.length];
  const [height, width] = [Math.max(1, shape[0] * scale), Math.max(1, shape[1] * scale)];
  const left = Math.round(room.left + (room.width - across * (width + gap)) / 2);
  const top = Math.round(room.top + (room.height - down * (height + gap)) / 2);
  const place = (line: number, i: number): [number, number] =>
    isTurned
      ? [left + line * (width + gap), top + i * (height + gap)]
      : [left + i * (width + gap), top + line * (height + gap)];

  const pixels = strip(
    lines.flatMap(({ tiles }) => tiles),
    shape,
  );
  context.imageSmoothingEnabled = scale < 1;
  let number = 0;
  for (const [line, { tiles }] of lines.entries())
    for (let i = 0; i < tiles.length; i++, number++) {
      const [x, y] = place(line, i);
      context.drawImage(pixels, 0, number * shape[0], shape[1], shape[0], x, y, width, height);
    }

  const isMarked = (at: number, side: Names["rows"]) => side === heads && at === sheet.current;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const [at, name] of names.rows.entries()) {
    context.fillStyle = isMarked(at, names.rows) ? colors.accent : colors.text;
    context.fillText(name, left - 6 * px, top + at * (height + gap) + height / 2, room.left - box.left);
  }
  context.textBaseline = "bottom";
  context.textAlign = "center";
  for (const [at, name] of names.columns.entries()) {
    context.fillStyle = isMarked(at, names.columns) ? colors.accent : colors.text;
    context.fillText(name, left + at * (width + gap) + width / 2, top - 4 * px, width + gap);
  }
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
}
