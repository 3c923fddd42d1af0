// A sheet of images: lines of tiles, each line with a name, as large as a box of the stage allows.

export type Shape = [number, number, number]; // height, width, channels

/** An image in an array of numbers from 0 to 255, between two of its frames. */
export interface Tile {
  values: Float32Array;
  at: number; // where the image begins
  next: number; // where it begins in the next frame
  part: number; // from 0, all of the first, to 1, all of the second
  name: string; // which image it is
  finished: Float32Array | null; // the image at the end of its way from noise; null: it is one of the data
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

/** Where a tile is, in pixels of the screen. */
export interface Spot {
  tile: Tile;
  left: number;
  top: number;
  width: number;
  height: number;
}

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
export function strip(tiles: Tile[], shape: Shape): HTMLCanvasElement {
  const [height, width] = shape;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height * tiles.length;
  const image = new ImageData(canvas.width, canvas.height);
  for (const [i, tile] of tiles.entries()) fill(image.data, 4 * i * height * width, tile, shape);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}

interface Names {
  rows: string[];
  columns: string[];
}

/** Where the tiles are, in pixels of the screen. */
interface Layout {
  names: Names;
  isTurned: boolean; // whether lines are columns
  left: number;
  top: number;
  width: number; // of a tile
  height: number;
  scale: number; // how many times larger than its pixels an image is
  room: number; // for the names of the rows
}

/** The room within a box that names at the left and at the top leave. */
function inside(context: CanvasRenderingContext2D, box: Box, names: Names): Box {
  const px = devicePixelRatio;
  const widths = names.rows.map((name) => context.measureText(name).width);
  const left = Math.min(box.width / 4, Math.max(0, ...widths) + (names.rows.some(Boolean) ? 8 * px : 0));
  const top = names.columns.some(Boolean) ? (FONT + 6) * px : 0;
  return { left: box.left + left, top: box.top + top, width: box.width - left, height: box.height - top };
}

/** The layout with so many tiles beside and below each other. */
function arrange(context: CanvasRenderingContext2D, box: Box, sheet: Sheet, isTurned: boolean): Layout {
  const upright: Names = { rows: sheet.lines.map(({ name }) => name), columns: sheet.heads };
  const names = isTurned ? { rows: upright.columns, columns: upright.rows } : upright;
  const most = Math.max(1, ...sheet.lines.map(({ tiles }) => tiles.length));
  const [across, down] = isTurned ? [sheet.lines.length, most] : [most, sheet.lines.length];
  const free = inside(context, box, names);
  const gap = GAP * devicePixelRatio;
  const [rows, columns] = sheet.shape;
  const raw = Math.max(0, Math.min((free.width / across - gap) / columns, (free.height / down - gap) / rows));
  const scale = raw >= 2 ? Math.floor(2 * raw) / 2 : raw; // so that the pixels are equally large, or nearly
  const [width, height] = [Math.max(1, columns * scale), Math.max(1, rows * scale)];
  return {
    ...{ names, isTurned, width, height, scale, room: free.left - box.left },
    left: Math.round(free.left + (free.width - across * (width + gap)) / 2),
    top: Math.round(free.top + (free.height - down * (height + gap)) / 2),
  };
}

function drawTiles(context: CanvasRenderingContext2D, { lines, shape }: Sheet, layout: Layout): Spot[] {
  const { isTurned, left, top, width, height } = layout;
  const gap = GAP * devicePixelRatio;
  const [rows, columns] = shape;
  const pixels = strip(
    lines.flatMap(({ tiles }) => tiles),
    shape,
  );
  context.imageSmoothingEnabled = layout.scale < 1;
  const spots: Spot[] = [];
  for (const [line, { tiles }] of lines.entries())
    for (const [i, tile] of tiles.entries()) {
      const [column, row] = isTurned ? [line, i] : [i, line];
      const [x, y] = [left + column * (width + gap), top + row * (height + gap)];
      context.drawImage(pixels, 0, spots.length * rows, columns, rows, x, y, width, height);
      spots.push({ tile, left: x, top: y, width, height });
    }
  return spots;
}

const NARROWEST = 0.8; // how much a name may be squeezed

/** A name, or as much of its beginning as fits. */
function cut(context: CanvasRenderingContext2D, name: string, room: number): string {
  const fits = (text: string) => context.measureText(text).width * NARROWEST <= room;
  let text = name;
  for (let length = name.length - 1; length > 0 && !fits(text); length--) text = `${name.slice(0, length)}…`;
  return text;
}

/** Times that would touch each other are left out, but for every second or third one. */
function everyOf(context: CanvasRenderingContext2D, heads: string[], room: number): number {
  return Math.max(1, Math.ceil(Math.max(...heads.map((head) => context.measureText(head).width)) / room));
}

function drawNames(context: CanvasRenderingContext2D, sheet: Sheet, layout: Layout, colors: Colors): void {
  const { names, left, top, width, height, room } = layout;
  const px = devicePixelRatio;
  const gap = GAP * px;
  const ink = (list: string[], at: number) =>
    list === sheet.heads && at === sheet.current ? colors.accent : colors.text;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const [at, name] of names.rows.entries()) {
    context.fillStyle = ink(names.rows, at);
    const y = top + at * (height + gap) + height / 2;
    context.fillText(cut(context, name, room), left - 6 * px, y, room);
  }
  context.textBaseline = "bottom";
  context.textAlign = "center";
  const every = sheet.fixed ? everyOf(context, names.columns.slice(1), width) : 1;
  for (const [at, name] of names.columns.entries()) {
    if (at % every > 0) continue;
    context.fillStyle = ink(names.columns, at);
    const x = left + at * (width + gap) + width / 2;
    context.fillText(cut(context, name, every * width), x, top - 4 * px, every * width);
  }
  context.textBaseline = "alphabetic";
  context.textAlign = "left";
}

interface Colors {
  text: string;
  accent: string;
}

/**
 * Draws a sheet in the middle of a box, both in pixels of the screen. Lines are rows, or columns if that leaves more room. Returns where
 * its tiles are.
 */
export function drawSheet(context: CanvasRenderingContext2D, box: Box, sheet: Sheet, colors: Colors): Spot[] {
  const px = devicePixelRatio;
  context.font = `${Math.round(FONT * px)}px system-ui, sans-serif`;
  context.fillStyle = colors.text;
  if (sheet.title) context.fillText(sheet.title, box.left, box.top + (FONT + 2) * px, box.width);
  const title = sheet.title ? TITLE * px : 0;
  const free = { ...box, top: box.top + title, height: box.height - title };
  const upright = arrange(context, free, sheet, false);
  const turned = arrange(context, free, sheet, true);
  const layout = !sheet.fixed && turned.scale > upright.scale ? turned : upright;
  drawNames(context, sheet, layout, colors);
  return drawTiles(context, sheet, layout);
}
