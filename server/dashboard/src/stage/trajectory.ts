// A trajectory between noise and data as the stage needs it: all frames of x and of the estimate x0, as flat arrays.
import { getBytes, type Job, type Query, url } from "../api";
import { readSafetensors } from "../arrays";
import { classesOf, type Source, shapeOf, timestepsOf } from "../data";
import { DEFAULTS, MOST_POINTS, type View } from "../hash";
import { HUES } from "../theme";
import type { Axes } from "./axes";

export interface Trajectory {
  key: string; // what it shows; another draw of the same has the same key
  n: number;
  dim: number;
  timesteps: number[]; // [frames]
  x: Float32Array; // [frames][n][dim]
  x0: Float32Array; // [frames - 1][n][dim]
  classes: number[] | null; // [n], the index of each point's class
  home: number; // the frame of x that is data
  evaluations: number | null;
  epoch: number | null;
}

export interface Bounds {
  x: number;
  y: number;
  radius: number; // half the width of the square that contains everything
  radiusY: number; // half its height: the same as `radius`, unless the axes are separate quantities
  wide: number; // the share of `radius` that the shape needs
  tall: number; // the share of `radiusY` that the shape needs
}

const FRAMES = 81;
const IMAGE_FRAMES = 21;
const MOST_VALUES = 8e6; // of all frames of images: 32 MB
const IN_CLASS = 6; // images of each class
const IN_ALL = 36; // images without classes

/** The maximum number of points or images of a run on the stage. */
export function mostOf(run: Job): number {
  const values = shapeOf(run)?.reduce((product, side) => product * side, 1);
  return values ? Math.max(1, Math.floor(MOST_VALUES / (2 * IMAGE_FRAMES * values))) : MOST_POINTS;
}

/** Whether each class has its images from the same noises, so that the stage is a table of classes and noises. */
export const sharesNoise = (view: View, run: Job): boolean =>
  shapeOf(run) !== null && classesOf(run).length > 1 && view.class < 0 && !view.own;

/** Whether there is one set of images for all classes, which have no effect without guidance. */
export const isOneForAll = (view: View, run: Job): boolean => sharesNoise(view, run) && view.guidance === 0;

/** The number of points or images of a run on the stage. Of images, there are as many in each class unless the view says how many. */
export function countOf(view: View, run: Job): number {
  const most = mostOf(run);
  if (!shapeOf(run) || view.n !== DEFAULTS.n) return Math.min(view.n, most);
  const classes = view.class < 0 ? classesOf(run).length : 0;
  return classes > 0 && classes <= most
    ? classes * Math.min(IN_CLASS, Math.floor(most / classes))
    : Math.min(IN_ALL, most);
}

/** What the view says about guidance, as far as it has an effect: a guidance of 0 has no limits. */
function guidanceOf(view: View): Query {
  const said = (value: number) => (value >= 0 ? value : undefined);
  const limits = {
    guidance_ratio_min: said(view.guidance_ratio_min),
    guidance_ratio_max: said(view.guidance_ratio_max),
  };
  return { guidance: said(view.guidance), ...(view.guidance !== 0 && limits) };
}

/** The query that draws this view from a run's model, in any format. Values that do not fit the run are left out. */
export function sampleQuery(view: View, run: Job): Query {
  const classes = classesOf(run).length;
  const isImages = shapeOf(run) !== null;
  const inTurn = isImages && classes > 0 && view.class < 0 && view.guidance !== 0;
  return {
    n: isOneForAll(view, run) ? Math.ceil(countOf(view, run) / classes) : countOf(view, run),
    seed: view.seed,
    sampler: view.sampler || undefined,
    steps: Math.min(view.steps, timestepsOf(run)) || undefined,
    ...(classes > 0 && guidanceOf(view)),
    class: view.class >= 0 && view.class < classes ? view.class : undefined,
    balance: inTurn || undefined,
    shared_noise: (inTurn && sharesNoise(view, run)) || undefined,
    clip: view.clip ? undefined : false,
    epoch: view.epoch || undefined,
    frames: isImages ? IMAGE_FRAMES : FRAMES,
  };
}

const MARGIN = 0.66; // radius as a share of the width; 0.5 would leave no margin
const LEAST_SHARE = 0.6; // minimum share for a long thin shape, because the noise is round
const LEAST_WIDTH = 1e-6; // minimum width, for data that is all the same

/**
 * The square around points [n][dim], with room for the noise around them. Outliers, one in a hundred, are ignored. With `free`,
 * each axis has its own scale.
 */
export function boundsOf(points: Float32Array, dim: number, axes: Axes = [0, 1], free = false): Bounds {
  const n = points.length / dim;
  const range = axes.map((j): [number, number] => {
    if (j >= dim) return [0, 0];
    const column = Float32Array.from({ length: n }, (_, i) => points[i * dim + j]!);
    const values = column.filter((value) => !Number.isNaN(value)).sort(); // missing cells have no place
    if (values.length === 0) return [0, 0];
    const out = Math.floor(values.length / 200);
    return [values[out]!, values[values.length - 1 - out]!];
  });
  const [[left, right], [low, high]] = range as [[number, number], [number, number]];
  const most = Math.max(right - left, high - low, LEAST_WIDTH);
  const share = (width: number) => (free ? 1 : Math.max(LEAST_SHARE, width / most));
  const radius = (width: number) => MARGIN * (free ? Math.max(width, LEAST_WIDTH) : most);
  return {
    x: (left + right) / 2,
    y: (low + high) / 2,
    radius: radius(right - left),
    radiusY: radius(high - low),
    wide: share(right - left),
    tall: dim > 1 ? share(high - low) : 0,
  };
}

function huesOf(points: Float32Array, dim: number, [x, y]: Axes, bounds: Bounds): Uint8Array {
  return Uint8Array.from({ length: points.length / dim }, (_, i) => {
    const dx = (points[i * dim + x]! - bounds.x) / bounds.radius;
    const dy = (points[i * dim + y]! - bounds.y) / bounds.radiusY;
    const turn = dim > 1 ? Math.atan2(dy, dx) / (2 * Math.PI) + 0.5 : 0.5 + dx / 2.2;
    return Math.min(HUES - 1, Math.max(0, Math.floor(turn * HUES)));
  });
}

const MOST_ALIKE = 0.02;
const piled = new WeakMap<Trajectory, boolean>();

/** Whether many samples are exactly at an end of a column's range, which clipping of the estimate causes. */
export function isPiledUp(t: Trajectory): boolean {
  const known = piled.get(t);
  if (known !== undefined) return known;
  const data = t.x.subarray(t.home * t.n * t.dim, (t.home + 1) * t.n * t.dim);
  let is = false;
  for (let j = 0; j < t.dim && !is; j++) {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = j; i < data.length; i += t.dim) {
      low = Math.min(low, data[i]!);
      high = Math.max(high, data[i]!);
    }
    let alike = 0;
    for (let i = j; i < data.length; i += t.dim) if (data[i] === low || data[i] === high) alike++;
    is = low < high && alike > Math.max(4, MOST_ALIKE * t.n);
  }
  piled.set(t, is);
  return is;
}

/** The bounds and colors of two columns of a trajectory, determined by its data. */
export interface Layout {
  hues: Uint8Array; // [n], by the direction of each point from the center
  bounds: Bounds;
}

const layouts = new WeakMap<Trajectory, Map<string, Layout>>();

export function layoutOf(t: Trajectory, axes: Axes, free: boolean): Layout {
  const known = layouts.get(t) ?? new Map<string, Layout>();
  layouts.set(t, known);
  const key = `${axes}/${free}`;
  let layout = known.get(key);
  if (!layout) {
    const data = t.x.subarray(t.home * t.n * t.dim, (t.home + 1) * t.n * t.dim);
    const bounds = boundsOf(data, t.dim, axes, free);
    layout = { bounds, hues: huesOf(data, t.dim, axes, bounds) };
    known.set(key, layout);
  }
  return layout;
}

interface Answer {
  n: number;
  dim: number;
  timesteps: number[];
  labels: string[] | null;
  classes: string[] | null;
  evaluations?: number;
  epoch?: number;
}

/** The index of each point's class, which determines its color. */
export function placesOf(answer: { labels: string[] | null; classes: string[] | null }): number[] | null {
  const places = new Map(answer.classes?.map((name, place) => [name, place]));
  return answer.labels?.map((name) => places.get(name) ?? 0) ?? null;
}

async function load(address: string, signal: AbortSignal) {
  const { tensors, answer } = readSafetensors(await getBytes(address, { signal }));
  const said = JSON.parse(answer) as Answer;
  return { ...said, classes: placesOf(said), x: tensors.x!.data, x0: tensors.x0!.data };
}
type Loaded = Awaited<ReturnType<typeof load>>;

function finish(key: string, from: Loaded, home: number): Trajectory {
  return {
    ...from,
    key,
    home,
    evaluations: from.evaluations ?? null,
    epoch: from.epoch ?? null,
  };
}

/** Loads trajectories from noise to data by the model of a run, with so many frames, or as many as usual. */
export async function loadReverse(
  run: Job,
  view: View,
  signal: AbortSignal,
  frames?: number,
): Promise<Trajectory> {
  const query = sampleQuery(view, run);
  const address = url(`/v1/models/${run.id}/trajectories.safetensors`, {
    ...query,
    ...(frames && { frames }),
  });
  const loaded = await load(address, signal);
  return finish(run.id, loaded, loaded.timesteps.length - 1);
}

/** Merges the trajectories of several data sets; each data set is a class. */
function merge(parts: Loaded[]): Loaded {
  const [first] = parts;
  if (!first || parts.length === 1) return first!;
  const { dim } = first;
  const n = parts.reduce((sum, part) => sum + part.n, 0);
  const join = (pick: (part: Loaded) => Float32Array, frames: number): Float32Array => {
    const out = new Float32Array(frames * n * dim);
    let at = 0;
    for (let k = 0; k < frames; k++)
      for (const part of parts) {
        const width = part.n * dim;
        out.set(pick(part).subarray(k * width, (k + 1) * width), at);
        at += width;
      }
    return out;
  };
  const frames = first.timesteps.length;
  return {
    ...first,
    n,
    classes: parts.flatMap((part, place) => Array.from({ length: part.n }, () => place)),
    x: join((part) => part.x, frames),
    x0: join((part) => part.x0, frames - 1),
  };
}

export type Way = "forward" | "optimal";

/** The process that a run is shown by instead of its model; "" for none. Images have no nearest point. */
export const wayOf = (run: Job, { process }: View): Way | "" =>
  process === "optimal" && shapeOf(run) ? "" : process;

/** The query for a process of each of several data sets. The forward process uses the noise schedule of the run. */
export function processQuery(process: Way, sources: number, run: Job | undefined, view: View): Query {
  const all = run ? countOf({ ...DEFAULTS, n: view.n }, run) : view.n;
  const n = Math.max(1, Math.floor(all / sources));
  const schedule = process === "forward" && run ? scheduleOf(run) : {};
  const frames = run && shapeOf(run) ? IMAGE_FRAMES : FRAMES;
  return { n, seed: view.seed, frames, ...schedule };
}

/** Loads a process that needs no model: from data to noise, or from noise straight to the nearest data points. */
export async function loadProcess(
  process: Way,
  sources: Source[],
  run: Job | undefined,
  view: View,
  signal: AbortSignal,
): Promise<Trajectory> {
  if (sources.length === 0) throw new Error("This model was imported without its data.");
  const query = processQuery(process, sources.length, run, view);
  const parts = await Promise.all(
    sources.map((each) => load(url(`/v1/datasets/${each.id}/${process}.safetensors`, query), signal)),
  );
  const merged = merge(parts);
  const key = `${process}/${sources.map((each) => each.id).join("+")}`;
  return finish(key, merged, process === "forward" ? 0 : merged.timesteps.length - 1);
}

/** The noise schedule of a run, as parameters of the forward process. */
function scheduleOf(run: Job): Query {
  const { timesteps, beta_schedule, beta_start, beta_end, ratio_min, ratio_max, zero_terminal_snr } =
    run.spec.diffusion ?? {};
  return {
    timesteps,
    schedule: beta_schedule,
    beta_start,
    beta_end,
    ratio_min,
    ratio_max,
    zero_terminal_snr,
  };
}

/** The position 0..1 on the time track as a fractional frame index. */
export const frameAt = (trajectory: Trajectory, position: number): number =>
  position * (trajectory.timesteps.length - 1);

/** Interpolates two columns of an array [frames][n][dim] at a fractional frame into out [n][2]. */
export function interpolate(
  t: Trajectory,
  which: "x" | "x0",
  frame: number,
  axes: Axes,
  out: Float32Array,
): void {
  const frames = t[which];
  const { n, dim } = t;
  const count = frames.length / (n * dim);
  const first = Math.min(count - 1, Math.max(0, Math.floor(frame)));
  const second = Math.min(count - 1, first + 1);
  const part = Math.min(1, Math.max(0, frame - first));
  const a = first * n * dim;
  const b = second * n * dim;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < 2; j++) {
      const at = i * dim + axes[j]!;
      const from = frames[a + at]!;
      out[2 * i + j] = from + part * (frames[b + at]! - from);
    }
}
