// A drawing as text for an address, so that a link contains it. Each point is a cell of a grid. The sorted cell numbers are stored
// as differences, and the bytes are deflated.
//
// The bytes are the square's center x, center y and radius as float32, then the differences between the numbers of the
// occupied cells, in seven bits per byte, the lowest bits first.

export interface Drawing {
  points: [number, number][];
}

const GRID = 512;
const MOST_POINTS = 2000;
const MOST_TEXT = 12_000; // characters; longer addresses do not work everywhere that links are pasted
const HEAD = 12;

async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream) {
  const piped = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(piped).arrayBuffer());
}

function toText(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const fromText = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

/** The sorted cells of points [n][2] in the square; at most MOST_POINTS points, evenly selected. */
function cellsOf(points: Float32Array, x: number, y: number, radius: number): number[] {
  const n = points.length / 2;
  const every = Math.max(1, n / MOST_POINTS);
  const cells: number[] = [];
  const cell = (value: number) =>
    Math.min(GRID - 1, Math.max(0, Math.floor(((value + radius) / (2 * radius)) * GRID)));
  for (let i = 0; i < n; i += every) {
    const at = 2 * Math.floor(i);
    cells.push(cell(points[at + 1]! - y) * GRID + cell(points[at]! - x));
  }
  return cells.sort((a, b) => a - b);
}

export async function pack(points: Float32Array): Promise<string> {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  points.forEach((value, i) => {
    low[i % 2] = Math.min(low[i % 2]!, value);
    high[i % 2] = Math.max(high[i % 2]!, value);
  });
  const [x, y] = [(low[0]! + high[0]!) / 2, (low[1]! + high[1]!) / 2];
  const radius = Math.max(high[0]! - low[0]!, high[1]! - low[1]!, 1e-6) / 2;
  const bytes = [...new Uint8Array(new Float32Array([x, y, radius]).buffer)];
  let before = 0;
  for (const cell of cellsOf(points, x, y, radius)) {
    let distance = cell - before;
    before = cell;
    for (; distance > 127; distance >>= 7) bytes.push(128 | (distance & 127));
    bytes.push(distance);
  }
  return toText(await through(Uint8Array.from(bytes), new CompressionStream("deflate-raw")));
}

/** The drawing in such a text; null if the text is invalid. */
export async function unpack(text: string): Promise<Drawing | null> {
  if (!text || text.length > MOST_TEXT) return null;
  try {
    const bytes = await through(fromText(text), new DecompressionStream("deflate-raw"));
    const [x = 0, y = 0, radius = 0] = new Float32Array(bytes.buffer.slice(0, HEAD));
    if (!Number.isFinite(x + y) || !(radius > 0)) return null;
    const points: [number, number][] = [];
    const place = (cell: number) => ((cell + Math.random()) / GRID) * 2 * radius - radius;
    for (let at = HEAD, cell = 0; at < bytes.length && points.length < MOST_POINTS; at++) {
      let shift = 0;
      for (; bytes[at]! > 127 && shift < 21; at++, shift += 7) cell += (bytes[at]! & 127) << shift;
      cell += bytes[at]! << shift;
      if (cell >= GRID * GRID) return null;
      points.push([x + place(cell % GRID), y + place(Math.floor(cell / GRID))]);
    }
    return { points };
  } catch {
    return null;
  }
}
