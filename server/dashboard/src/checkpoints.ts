// The second time axis: the epochs of which the run on the stage has checkpoints.
import { signal } from "@preact/signals";
import { getJson, url } from "./api";
import { go, view } from "./hash";
import { job, onCheckpoint } from "./runs";

/** Epochs by run, ascending; the last one is the current model. */
export const checkpoints = signal<Record<string, number[]>>({});

const loading = new Map<string, boolean>(); // id -> whether to load again afterwards

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
    // The run was deleted, or the connection was lost; the next checkpoint event loads the list again.
  }
  const again = loading.get(id);
  loading.delete(id);
  if (again) await loadCheckpoints(id);
}

onCheckpoint.add((id) => {
  if (id === view.value.job) void loadCheckpoints(id);
});

export const epochs = (): number[] => (job.value ? (checkpoints.value[job.value.id] ?? []) : []);

/** The index in epochs() of the checkpoint on the stage. */
export function place(): number {
  const at = epochs().indexOf(view.value.epoch);
  return at < 0 ? epochs().length - 1 : at;
}

/** Shows the checkpoint with this index. The last one is followed as training continues. */
export function lookBack(at: number): void {
  const list = epochs();
  const bounded = Math.min(list.length - 1, Math.max(0, at));
  go({ epoch: bounded === list.length - 1 ? 0 : (list[bounded] ?? 0), process: "" });
}
