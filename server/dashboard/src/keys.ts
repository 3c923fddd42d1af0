// The keyboard shortcuts, in one table, which the help shows.
import { lookBack, place } from "./checkpoints";
import { go, type StageMode, toggle, view } from "./hash";
import { play, playing, position, scrub } from "./player";
import { hasModel, job } from "./runs";
import { rows } from "./runs/listing";
import { show } from "./runs/parts";
import { kind } from "./tabs";
import { nextTheme } from "./theme";

export interface Key {
  keys: string[];
  label: string;
  doc: string;
  act: (event: KeyboardEvent) => void;
}

const move = (by: number) => () => scrub(position.value + by);

function step(by: number): void {
  const list = rows.value;
  const at = list.findIndex((each) => each.id === view.value.job);
  const next = list[Math.min(list.length - 1, Math.max(0, at + by))];
  if (next) show(next);
}

export const KEYS: Key[] = [
  { keys: [" "], label: "space", doc: "play or pause", act: () => play(!playing.value) },
  { keys: ["ArrowLeft"], label: "←", doc: "back on the time track", act: move(-0.0125) },
  { keys: ["ArrowRight"], label: "→", doc: "forward on the time track", act: move(0.0125) },
  { keys: ["Home"], label: "Home", doc: "start of the time track", act: () => scrub(0) },
  { keys: ["End"], label: "End", doc: "end of the time track", act: () => scrub(1) },
  { keys: ["j", "ArrowDown"], label: "j ↓", doc: "next run", act: () => step(1) },
  { keys: ["k", "ArrowUp"], label: "k ↑", doc: "previous run", act: () => step(-1) },
  { keys: ["F", "Escape"], label: "F", doc: "full screen", act: fullStage },
  { keys: ["["], label: "[", doc: "previous checkpoint", act: () => lookBack(place() - 1) },
  { keys: ["]"], label: "]", doc: "next checkpoint", act: () => lookBack(place() + 1) },
  { keys: ["r"], label: "r", doc: "all runs as a table", act: () => go({ panel: "runs" }, true) },
  { keys: ["n"], label: "n", doc: "new run", act: () => go({ panel: "new" }, true) },
  { keys: ["d"], label: "d", doc: "draw your own data", act: () => go({ panel: "draw" }, true) },
  { keys: ["s"], label: "s", doc: "another seed", act: () => go({ seed: view.value.seed + 1 }) },
  { keys: ["x"], label: "x", doc: "show the points, the estimate or both", act: nextMode },
  { keys: ["h"], label: "h", doc: "color by angle", act: () => toggle("show", "hue") },
  { keys: ["f"], label: "f", doc: "vector field", act: () => toggle("show", "field") },
  { keys: ["l"], label: "l", doc: "lines to the estimate", act: () => toggle("show", "lines") },
  { keys: ["c"], label: "c", doc: "compare samplers", act: compare },
  {
    keys: ["g"],
    label: "g",
    doc: "save the animation as a GIF",
    act: () => document.querySelector<HTMLElement>(".export-GIF")?.click(),
  },
  { keys: ["t"], label: "t", doc: "theme: auto, light, dark", act: nextTheme },
  { keys: ["/"], label: "/", doc: "filter the runs", act: () => document.getElementById("filter")?.focus() },
  { keys: ["?"], label: "?", doc: "this help", act: () => go({ panel: "help" }) },
];

/** F switches to full screen and back; Escape only switches back. */
function fullStage(event: KeyboardEvent): void {
  if (event.key !== "Escape" || view.value.full) go({ full: view.value.full ? 0 : 1 }, true);
}

function nextMode(): void {
  const order: StageMode[] = kind.value === "images" ? ["x", "x0", "both"] : ["x", "x0", "both", "over"];
  go({ mode: order[(order.indexOf(view.value.mode) + 1) % order.length]! });
}

function compare(): void {
  if (hasModel(job.value) && kind.value !== "images") go({ panel: "samplers" }, true);
}

const TYPING = "input, select, textarea, [contenteditable]";

/** A dialog receives the keys as soon as it is requested, and until it is closed; the view changes a little later. */
function isInDialog(): boolean {
  const dialog = document.querySelector("dialog");
  return dialog ? dialog.open : view.value.panel !== "";
}

export function listen(): void {
  document.addEventListener("keydown", (event) => {
    const target = event.target as Element;
    if (event.ctrlKey || event.metaKey || event.altKey || isInDialog()) return;
    if (target.matches(TYPING)) {
      if (event.key === "Escape") (target as HTMLElement).blur();
      return;
    }
    if (event.key === " " && target.matches("button, a, summary")) return;
    const found = KEYS.find((each) => each.keys.includes(event.key));
    if (!found) return;
    event.preventDefault();
    found.act(event);
  });
}
