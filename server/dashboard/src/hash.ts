// The current view, stored in the part of the URL after '#', so that a link shows the same picture.
import { signal } from "@preact/signals";

export type StageMode = "x" | "x0" | "both" | "over";
export type Process = "" | "forward" | "optimal";

export interface View {
  job: string; // id of the run on the stage; "" for none
  b: string; // the second run of an A|B comparison
  with: string; // further runs whose loss is in the chart, ids joined by '.'
  process: Process; // "": from noise to data by the model
  epoch: number; // of the checkpoint on the stage; 0: the newest
  n: number;
  seed: number;
  sampler: string;
  steps: number; // 0: as many as usual for the model
  guidance: number; // -1: as usual for the model
  guidance_ratio_min: number; // guidance has an effect from this noise/signal; -1: as usual for the model
  guidance_ratio_max: number; // up to this one
  class: number; // index of the class; -1: all classes
  own: number; // of images of all classes, 1: each has its own noise; 0: each class has the same ones
  mode: StageMode;
  show: string; // layers beside the points, see LAYERS in stage/tools.tsx, joined by '.'
  clip: number; // 1: the estimate is clipped to the range of the data; 0: it is not
  tab: string; // of a run of a table or of images, see TABS in tabs.ts; "": the first
  pair: string; // the two columns of the tab of pairs, by their places in the tab's list: "2.5"; "": the worst pair
  axes: string; // the two columns on the axes of data with more than two, counted from 0: "2.5"; "": the first two
  full: number; // 1: the stage alone
  k: number; // position on the time track, 0 (its start) .. 1 (its end)
  panel: string; // the dialog that is open, see PANELS in app.tsx
  sort: string; // what the runs are sorted by, with a minus sign in front for descending
  data: string; // the points of a drawing (drawing.ts), so that the link works on another server, too
}

/** The parts of the view that say how a model draws, besides the number of points and the checkpoint. */
export const DRAWN = [
  ...(["seed", "sampler", "steps", "class", "own", "clip"] as const),
  ...(["guidance", "guidance_ratio_min", "guidance_ratio_max"] as const),
];

export const DEFAULTS: View = {
  job: "",
  b: "",
  with: "",
  process: "",
  epoch: 0,
  n: 1000,
  seed: 1,
  sampler: "",
  steps: 0,
  guidance: -1,
  guidance_ratio_min: -1,
  guidance_ratio_max: -1,
  class: -1,
  own: 0,
  mode: "x",
  show: "hue",
  clip: 1,
  tab: "",
  pair: "",
  axes: "",
  full: 0,
  k: 1,
  panel: "",
  sort: "-created_at",
  data: "",
};

/** The maximum number of points on the stage. More would not move smoothly, and take long to load; the API allows more. */
export const MOST_POINTS = 20_000;

const MODES: StageMode[] = ["x", "x0", "both", "over"];
const PROCESSES: Process[] = ["", "forward", "optimal"];

function parse(text: string): View {
  const given = new URLSearchParams(text.replace(/^#/, ""));
  const view: Record<string, unknown> = { ...DEFAULTS };
  for (const [name, fallback] of Object.entries(DEFAULTS)) {
    const value = given.get(name);
    if (value === null) continue;
    if (typeof fallback === "string") view[name] = value;
    else if (value.trim() !== "" && Number.isFinite(Number(value))) view[name] = Number(value);
  }
  const read = view as unknown as View;
  read.n = Math.min(MOST_POINTS, Math.max(1, Math.round(read.n)));
  read.k = Math.min(1, Math.max(0, read.k));
  if (!MODES.includes(read.mode)) read.mode = "x";
  if (!PROCESSES.includes(read.process)) read.process = "";
  return read;
}

export function format(view: View): string {
  const out = new URLSearchParams();
  for (const [name, fallback] of Object.entries(DEFAULTS)) {
    const value = view[name as keyof View];
    if (value !== fallback) out.set(name, typeof value === "number" ? String(+value.toFixed(4)) : value);
  }
  return out.toString();
}

export const view = signal<View>(parse(location.hash));

const current = (): string => location.hash.replace(/^#/, "");
let written = current();
let timer = 0;

/** Adopts an address that the browser or the user has changed: it takes precedence over a pending write. */
function adopt(): boolean {
  if (current() === written) return false;
  written = current();
  view.value = parse(written);
  return true;
}

function write(remember: boolean): void {
  if (adopt()) return;
  written = format(view.value);
  const address = written ? `#${written}` : location.pathname;
  if (remember) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
}

/** Changes the view. The URL follows a moment later, and gets a new history entry only with `remember`. */
export function go(change: Partial<View>, remember = false): void {
  view.value = { ...view.value, ...change };
  clearTimeout(timer);
  if (remember) write(true);
  else timer = window.setTimeout(() => write(false), 200);
}

/** The address of the current view, after any pending change has been written to it. */
export function address(): string {
  clearTimeout(timer);
  write(false);
  return location.href;
}

window.addEventListener("popstate", adopt);
window.addEventListener("hashchange", adopt);

/** The items of a list in the view: layers or ids. */
export const listed = (field: "show" | "with"): string[] => view.value[field].split(".").filter(Boolean);
export const shows = (layer: string): boolean => listed("show").includes(layer);
export function toggle(field: "show" | "with", item: string): void {
  const items = new Set(listed(field));
  if (!items.delete(item)) items.add(item);
  go({ [field]: [...items].join(".") });
}
