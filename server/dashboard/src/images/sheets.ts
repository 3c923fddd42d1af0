// What the tabs of a run of images show: trajectories as sheets of images.
import type { Job } from "../api";
import { classesOf, shapeOf } from "../data";
import { view } from "../hash";
import { frameAt, isOneForAll, sharesNoise, type Trajectory } from "../stage/trajectory";
import type { Shape, Sheet, Tile } from "./sheet";

type Which = "x" | "x0";

/** Image i of a trajectory at a fractional frame. */
function tileAt(t: Trajectory, which: Which, i: number, frame: number, name: string): Tile {
  const values = t[which];
  const size = t.n * t.dim;
  const last = values.length / size - 1; // x0 has one frame less
  const first = Math.min(last, Math.max(0, Math.floor(frame)));
  const next = Math.min(last, first + 1);
  const at = i * t.dim;
  return {
    values,
    at: first * size + at,
    next: next * size + at,
    part: Math.min(1, Math.max(0, frame - first)),
    name,
    finished: t.home > 0 ? t.x.subarray(t.home * size + at, t.home * size + at + t.dim) : null,
  };
}

interface Group {
  name: string;
  members: number[]; // the numbers of its images
}

const allOf = (t: Trajectory): number[] => Array.from({ length: t.n }, (_, i) => i);

/** All images in rows of a square, without names. */
function squareOf(t: Trajectory): Group[] {
  const side = Math.ceil(Math.sqrt(t.n));
  const rows = Math.ceil(t.n / side);
  return Array.from({ length: rows }, (_, row) => ({
    name: "",
    members: allOf(t).slice(row * side, (row + 1) * side),
  }));
}

/** The images of each class; without classes, or with only one, a square. */
function groupsOf(t: Trajectory, run: Job): Group[] {
  const all = allOf(t);
  if (!t.classes && t.home > 0 && isOneForAll(view.value, run))
    return classesOf(run).map((name) => ({ name, members: all }));
  const places = [...new Set(t.classes)].sort((a, b) => a - b);
  if (places.length > 1) {
    const names = classesOf(run);
    return places.map((place) => ({
      name: names[place] ?? String(place),
      members: all.filter((i) => t.classes![i] === place),
    }));
  }
  return squareOf(t);
}

const shapeIn = (run: Job): Shape => shapeOf(run)!;

/** The numbers of the noises that the classes share, as heads of their columns. */
function noises(t: Trajectory, run: Job): string[] {
  if (t.home === 0 || !sharesNoise(view.value, run)) return [];
  const columns = t.classes ? Math.ceil(t.n / classesOf(run).length) : t.n;
  return Array.from({ length: columns }, (_, at) => `#${at + 1}`);
}

/** All images at a position of the time track. Those of the data come as they are, not as many of each class. */
export function samplesSheet(t: Trajectory, run: Job, which: Which, position: number, title: string): Sheet {
  const frame = frameAt(t, position);
  const groups = t.home === 0 ? squareOf(t) : groupsOf(t, run);
  const lines = groups.map(({ name, members }, line) => ({
    name,
    tiles: members.map((i, at) =>
      tileAt(
        t,
        which,
        i,
        frame,
        name ? `${name}, image ${at + 1}` : `Image ${line * members.length + at + 1}`,
      ),
    ),
  }));
  return { title, shape: shapeIn(run), lines, heads: noises(t, run), current: -1, fixed: false };
}

const STRIP = 11; // frames of a film strip
const STRIP_LINES = 10; // if it has the stage alone, without a title

/** One image of each class in some of its frames, from noise to data. */
export function stepsSheet(t: Trajectory, run: Job, which: Which, position: number, title: string): Sheet {
  const last = t.timesteps.length - 1;
  const count = Math.min(STRIP, last + 1);
  const frames = Array.from({ length: count }, (_, k) => Math.round((k * last) / Math.max(1, count - 1)));
  const groups = groupsOf(t, run);
  const hasNames = groups.some(({ name }) => name !== "");
  const chosen = hasNames
    ? groups.map(({ name, members }) => ({ name, i: members[0]! }))
    : Array.from({ length: Math.min(6, t.n) }, (_, i) => ({ name: "", i }));
  const lines = chosen.slice(0, title ? STRIP_LINES / 2 : STRIP_LINES).map(({ name, i }) => ({
    name,
    tiles: frames.map((frame) =>
      tileAt(t, which, i, frame, `${name || `Image ${i + 1}`} at timestep ${t.timesteps[frame]}`),
    ),
  }));
  const now = frameAt(t, position);
  const distances = frames.map((frame) => Math.abs(frame - now));
  return {
    title,
    shape: shapeIn(run),
    lines,
    heads: frames.map((frame) => String(t.timesteps[frame])),
    current: distances.indexOf(Math.min(...distances)),
    fixed: true,
  };
}

/** The finished images of each checkpoint, which come from the same noise. */
export function checkpointsSheet(made: Trajectory[], run: Job): Sheet {
  const names = classesOf(run);
  return {
    title: "",
    shape: shapeIn(run),
    lines: made.map((t) => ({
      name: `epoch ${t.epoch}`,
      tiles: Array.from({ length: t.n }, (_, i) => {
        const name = t.classes ? names[t.classes[i]!] : `image ${i + 1}`;
        return tileAt(t, "x", i, t.home, `Epoch ${t.epoch}, ${name}`);
      }),
    })),
    heads: (made[0]?.classes ?? []).map((place) => names[place] ?? ""),
    current: -1,
    fixed: false,
  };
}
