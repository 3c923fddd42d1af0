// The tabs on the stage of a run that was trained on a table: what its model has learned, instead of moving points.
import { computed } from "@preact/signals";
import type { Job } from "./api";
import { view } from "./hash";
import { job } from "./runs";

export type Tab = "columns" | "pairs" | "rows" | "score" | "animation";

export const TABS: [Tab, string, string][] = [
  ["columns", "Columns", "The values of each column, in the data and from the model"],
  ["pairs", "Pairs", "How columns go together, in the data and from the model"],
  ["rows", "Rows", "Rows that the model draws, in the form of the file"],
  ["score", "Score", "How typical a row is of the data"],
  ["animation", "Animation", "Two columns forming from noise"],
];

/** Whether a run was trained on a table: its columns are separate quantities, and a picture of two of them says little. */
export function isTableRun(run: Job): boolean {
  const { dataset, training } = run.spec;
  if (Array.isArray(dataset) || typeof dataset === "string" || (dataset && !("id" in dataset))) return false;
  return training?.normalization === "quantile" || (dataset?.dim ?? 0) > 2;
}

/** The tab on the stage. Runs that are not of tables have only the animation. */
export const tab = computed<Tab>(() => {
  if (!job.value || !isTableRun(job.value)) return "animation";
  return TABS.find(([name]) => name === view.value.tab)?.[0] ?? "columns";
});
