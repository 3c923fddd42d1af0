// A picture as one array of pixels, with our own blending. The canvas would need a call for each point, which it records and
// replays for the frame; with five thousand points, that took longer than a frame.

/** A picture. A pixel is 0xaabbggrr, not premultiplied. */
export interface Raster {
  image: ImageData; // the same memory, for putImageData
  pixels: Uint32Array; // [height][width]
  width: number;
  height: number;
}

export function rasterOf(width: number, height: number): Raster {
  const image = new ImageData(width, height);
  return { image, pixels: new Uint32Array(image.data.buffer), width, height };
}

const known = new Map<string, number>();
let probe: CanvasRenderingContext2D | undefined;

/** A CSS color as 0x00bbggrr; its alpha is ignored. */
export function packed(color: string): number {
  const before = known.get(color);
  if (before !== undefined) return before;
  if (!probe) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    probe = canvas.getContext("2d", { willReadFrequently: true })!;
  }
  probe.fillStyle = color;
  probe.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0] = probe.getImageData(0, 0, 1, 1).data;
  const rgb = (b << 16) | (g << 8) | r;
  known.set(color, rgb);
  return rgb;
}

/** Blends the color `rgb` with the opacity `alpha` (1..255) over one pixel. */
function blend(pixels: Uint32Array, at: number, rgb: number, alpha: number): void {
  const below = pixels[at]!;
  const whole = 255 * alpha + (below >>> 24) * (255 - alpha); // the combined alpha, times 255
  const seen = ((whole + 127) / 255) << 24;
  if (below >>> 24 === 0 || (below & 0xffffff) === rgb) {
    pixels[at] = seen | rgb;
    return;
  }
  const share = ((alpha * 65280) / whole) | 0; // of the new color, in 256ths
  const r = below & 255;
  const g = (below >> 8) & 255;
  const b = (below >> 16) & 255;
  const red = r + ((((rgb & 255) - r) * share) >> 8);
  const green = g + (((((rgb >> 8) & 255) - g) * share) >> 8);
  const blue = b + ((((rgb >> 16) - b) * share) >> 8);
  pixels[at] = seen | (blue << 16) | (green << 8) | red;
}

const PHASES = 4; // positions of a dot within a pixel, in each direction, so that it moves smoothly

/** The share of each pixel that a dot covers, for each position of its center within a pixel. */
interface Stamp {
  side: number; // of the square around the dot, in pixels
  half: number; // pixels from its left edge to the center
  cover: Uint8Array; // [PHASES: y][PHASES: x][side][side]
}

function makeStamp(radius: number, alpha: number): Stamp {
  const half = Math.ceil(radius + 0.5);
  const side = 2 * half + 1;
  const cover = new Uint8Array(PHASES * PHASES * side * side);
  const center = (phase: number) => half + (phase + 0.5) / PHASES - 0.5; // relative to the middle of a pixel
  let at = 0;
  for (let down = 0; down < PHASES; down++)
    for (let across = 0; across < PHASES; across++)
      for (let y = 0; y < side; y++)
        for (let x = 0; x < side; x++) {
          const distance = Math.hypot(x - center(across), y - center(down));
          cover[at++] = Math.round(255 * alpha * Math.min(1, Math.max(0, radius + 0.5 - distance)));
        }
  return { side, half, cover };
}

const stamps = new Map<string, Stamp>();

/** The stamp of a round dot with this radius in pixels; it is kept for later calls. */
export function stampOf(radius: number, alpha: number): Stamp {
  const key = `${radius}/${alpha}`;
  let made = stamps.get(key);
  if (!made) {
    if (stamps.size > 64) stamps.clear();
    made = makeStamp(radius, alpha);
    stamps.set(key, made);
  }
  return made;
}

/** The columns that may be drawn in. */
export interface Clip {
  from: number;
  to: number;
}

/** Draws a dot with its center at x, y, clipped to the picture and to `clip`. */
export function dot(raster: Raster, clip: Clip, stamp: Stamp, x: number, y: number, rgb: number): void {
  const { pixels, width, height } = raster;
  const { side, half, cover } = stamp;
  const left = Math.floor(x) - half;
  const top = Math.floor(y) - half;
  const first = Math.max(0, clip.from - left);
  const last = Math.min(side, clip.to - left);
  const low = Math.min(side, height - top);
  const phase = Math.floor((y - half - top) * PHASES) * PHASES + Math.floor((x - half - left) * PHASES);
  for (let row = Math.max(0, -top); row < low; row++) {
    const from = (phase * side + row) * side;
    const to = (top + row) * width + left;
    for (let column = first; column < last; column++) {
      const alpha = cover[from + column]!;
      if (alpha > 0) blend(pixels, to + column, rgb, alpha);
    }
  }
}

/** Draws a line one pixel wide. Each step along it is divided between the two pixels that it passes. */
export function line(
  raster: Raster,
  clip: Clip,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  rgb: number,
  alpha: number,
): void {
  const { pixels, width, height } = raster;
  const isFlat = Math.abs(x1 - x0) > Math.abs(y1 - y0);
  const steps = Math.round(isFlat ? Math.abs(x1 - x0) : Math.abs(y1 - y0)) || 1;
  if (!(steps < 4 * (width + height))) return; // this is also true if an end is not a number
  const [right, down] = isFlat ? [0, 1] : [1, 0]; // to the second pixel of a step
  const dx = (x1 - x0) / steps;
  const dy = (y1 - y0) / steps;
  let fx = x0 - right / 2;
  let fy = y0 - down / 2;
  for (let k = 0; k < steps; k++, fx += dx, fy += dy) {
    const x = Math.floor(fx);
    const y = Math.floor(fy);
    if (x < clip.from || y < 0 || x + right >= clip.to || y + down >= height) continue;
    const second = (alpha * (isFlat ? fy - y : fx - x)) | 0;
    const at = y * width + x;
    blend(pixels, at, rgb, alpha - second);
    if (second > 0) blend(pixels, at + down * width + right, rgb, second);
  }
}
