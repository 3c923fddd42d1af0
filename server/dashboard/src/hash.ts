// What is on screen, as the part of the URL after '#': a link shows the same picture.
import { signal } from "@preact/signals";

export type StageMode = "x" | "x0" | "both" | "over";

export interface View {
  job: string; // id of the run on the stage; "" for none
  b: string; // the second run of an A|B comparison
  n: number;
  seed: number;
  sampler: string;
  steps: number; // 0: as many as the model has
  guidance: number;
  label: number; // -1: all classes
  mode: StageMode;
  show: string; // layers beside the points: any of "density", "field", "lines", "trails", joined by '.'
  k: number; // position on the time track, 0 (noise) .. 1 (data)
  panel: string; // "" | "new" | "draw" | "samplers" | "help"
}

export const DEFAULTS: View = {
  job: "",
  b: "",
  n: 1000,
  seed: 1,
  sampler: "",
  steps: 0,
  guidance: 1,
  label: -1,
  mode: "x",
  show: "",
  k: 1,
  panel: "",
};

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
  read.n = Math.min(20000, Math.max(1, Math.round(read.n)));
  read.k = Math.min(1, Math.max(0, read.k));
  if (!["x", "x0", "both", "over"].includes(read.mode)) read.mode = "x";
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

/** The address was changed by someone else: that wins over what is about to be written. */
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

/** Changes what is on screen; the URL follows a moment later, without a new history entry for each frame. */
export function go(change: Partial<View>, remember = false): void {
  view.value = { ...view.value, ...change };
  clearTimeout(timer);
  if (remember) write(true);
  else timer = window.setTimeout(() => write(false), 200);
}

window.addEventListener("popstate", adopt);
window.addEventListener("hashchange", adopt);

export const shows = (layer: string): boolean => view.value.show.split(".").includes(layer);
export function toggle(layer: string): void {
  const layers = new Set(view.value.show.split(".").filter(Boolean));
  if (!layers.delete(layer)) layers.add(layer);
  go({ show: [...layers].join(".") });
}
