// Which runs are shown, and in which order: one filter and one order for the list and the table.
import { signal } from "@preact/signals";
import type { Job } from "../api";
import { datasetName } from "../data";
import { evaluationOf } from "../evaluations";
import { go, view } from "../hash";
import { jobs, nameOf } from "../runs";

export const filter = signal("");

type Key = string | number | null;

const STATUSES = ["running", "queued", "succeeded", "cancelled", "failed"];

/** What the table can be sorted by; null goes to the end. */
export const KEYS: Record<string, (run: Job) => Key> = {
  name: (run) => nameOf(run).toLowerCase(),
  data: (run) => datasetName(run).toLowerCase(),
  status: (run) => STATUSES.indexOf(run.status) + (1 - run.progress.fraction) / 2,
  epochs: (run) => run.progress.epoch,
  train: (run) => run.metrics.train_loss,
  val: (run) => run.metrics.val_loss,
  curve: (run) => evaluationOf(run)?.metrics.curve_distance?.value ?? null,
  energy: (run) => evaluationOf(run)?.metrics.energy_distance?.value ?? null,
  created: (run) => run.id, // which begins with the time
};

export const sortKey = (): string => view.value.sort.replace(/^-/, "");
export const isDescending = (): boolean => view.value.sort.startsWith("-");

/** Sorts by this; a second time: the other way round. */
export function sortBy(key: string): void {
  go({ sort: view.value.sort === key ? `-${key}` : key });
}

function compare(a: Key, b: Key): number {
  if (a === b) return 0;
  if (a === null) return 2;
  if (b === null) return -2;
  return a < b ? -1 : 1;
}

export function chosenRuns(): Job[] {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const key = KEYS[sortKey()] ?? KEYS.created!;
  const sign = isDescending() ? -1 : 1;
  return jobs.value
    .filter((run) => {
      const text = `${nameOf(run)} ${datasetName(run)} ${run.status} ${run.id}`.toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .map((run) => ({ run, key: key(run) }))
    .sort((a, b) => {
      const order = compare(a.key, b.key);
      return Math.abs(order) === 2 ? order : sign * order;
    })
    .map(({ run }) => run);
}
