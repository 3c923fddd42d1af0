// The tabs on the stage of a run that was trained on a table or on images: what its model has learned, besides moving points.
import { computed } from "@preact/signals";
import type { Job } from "./api";
import { shapeOf } from "./data";
import { view } from "./hash";
import { job } from "./runs";

export type Tab = "columns" | "pairs" | "rows" | "score" | "animation" | "steps" | "checkpoints";
export type Kind = "points" | "table" | "images";

const TABS: Record<Kind, [Tab, string, string][]> = {
  points: [["animation", "Animation", "Points forming from noise"]],
  table: [
    ["columns", "Columns", "The values of each column, in the data and from the model"],
    ["pairs", "Pairs", "How columns go together, in the data and from the model"],
    ["rows", "Rows", "Rows that the model draws, in the form of the file"],
    ["score", "Score", "How typical a row is of the data"],
    ["animation", "Animation", "Two columns forming from noise"],
  ],
  images: [
    ["animation", "Samples", "Images forming from noise"],
    ["steps", "Steps", "The steps from noise to an image, side by side"],
    ["checkpoints", "Checkpoints", "What each checkpoint draws from the same noise"],
  ],
};

/** What a run was trained on. The columns of a table are separate quantities, and a picture of two of them says little. */
export function kindOf(run: Job): Kind {
  if (shapeOf(run)) return "images";
  const { dataset, training } = run.spec;
  if (Array.isArray(dataset) || typeof dataset === "string" || (dataset && !("id" in dataset)))
    return "points";
  return training?.normalization === "quantile" || (dataset?.dim ?? 0) > 2 ? "table" : "points";
}

export const kind = computed<Kind>(() => (job.value ? kindOf(job.value) : "points"));
export const tabs = computed(() => TABS[kind.value]);

/** The tab on the stage. Runs of points have only the animation. */
export const tab = computed<Tab>(
  () => (tabs.value.find(([name]) => name === view.value.tab) ?? tabs.value[0]!)[0],
);
/** Whether the tab shows trajectories, which the time track moves. */
export const isMoving = computed(() => tab.value === "animation" || tab.value === "steps");
