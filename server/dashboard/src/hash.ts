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

let written = location.hash;
let timer = 0;

/** Changes what is on screen; the URL follows a moment later, without a new history entry for each frame. */
export function go(change: Partial<View>, remember = false): void {
  view.value = { ...view.value, ...change };
  clearTimeout(timer);
  const write = () => {
    written = `#${format(view.value)}`;
    if (remember) history.pushState(null, "", written);
    else history.replaceState(null, "", written);
  };
  if (remember) write();
  else timer = window.setTimeout(write, 200);
}

window.addEventListener("popstate", () => {
  if (location.hash !== written) view.value = parse(location.hash);
  written = location.hash;
});
window.addEventListener("hashchange", () => {
  if (location.hash !== written) view.value = parse(location.hash);
  written = location.hash;
});

export const shows = (layer: string): boolean => view.value.show.split(".").includes(layer);
export function toggle(layer: string): void {
  const layers = new Set(view.value.show.split(".").filter(Boolean));
  if (!layers.delete(layer)) layers.add(layer);
  go({ show: [...layers].join(".") });
}
