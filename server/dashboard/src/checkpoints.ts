// The second time axis: the epochs that the run on the stage can be looked back at.
import { signal } from "@preact/signals";
import { getJson, url } from "./api";
import { go, view } from "./hash";
import { job, onCheckpoint } from "./runs";

/** Epochs by run, ascending; the last one is the model as it is. */
export const checkpoints = signal<Record<string, number[]>>({});

const loading = new Map<string, boolean>(); // id -> asked again meanwhile

export async function loadCheckpoints(id: string): Promise<void> {
  if (loading.has(id)) {
    loading.set(id, true);
    return;
  }
  loading.set(id, false);
  try {
    const list = await getJson<{ items: { epoch: number }[] }>(url(`/v1/models/${id}/checkpoints`));
    checkpoints.value = { ...checkpoints.value, [id]: list.items.map((each) => each.epoch) };
  } catch {
    // Deleted, or lost for a moment: the event that brings it back loads it again.
  }
  const again = loading.get(id);
  loading.delete(id);
  if (again) await loadCheckpoints(id);
}

onCheckpoint.add((id) => {
  if (id === view.value.job) void loadCheckpoints(id);
});

export const epochs = (): number[] => (job.value ? (checkpoints.value[job.value.id] ?? []) : []);

/** The place in epochs() that is on the stage. */
export function place(): number {
  const at = epochs().indexOf(view.value.epoch);
  return at < 0 ? epochs().length - 1 : at;
}

/** Looks at the one in this place; the last one is looked at as it changes. */
export function lookBack(at: number): void {
  const list = epochs();
  const bounded = Math.min(list.length - 1, Math.max(0, at));
  go({ epoch: bounded === list.length - 1 ? 0 : (list[bounded] ?? 0), process: "" });
}
