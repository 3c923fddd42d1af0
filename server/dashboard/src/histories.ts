// The loss histories of the runs that somebody looks at.
import { signal } from "@preact/signals";
import { client, type History } from "./api";

export type Values = (number | null)[];

export interface Series {
  epoch: number[];
  train_loss: Values;
  val_loss: Values;
}

export const histories = signal<Record<string, Series>>({});

const MOST = 2000; // epochs of a run that are first asked for: the server thins, and keeps the peaks

/** Reads what is new of a run's history; the whole of it at first. */
export async function loadHistory(id: string): Promise<void> {
  const known = histories.value[id];
  const after = known?.epoch.at(-1) ?? 0;
  const query = known ? { after } : { max_points: MOST };
  const answer = await client.GET("/v1/jobs/{id}/history", { params: { path: { id }, query } });
  const data = answer.data as History | undefined;
  if (!data || data.data.epoch.length === 0) return;
  const now = histories.value[id];
  if ((now?.epoch.at(-1) ?? 0) !== after) return; // another answer came first
  const fresh = data.data as unknown as Series;
  const joined: Series = {
    epoch: [...(now?.epoch ?? []), ...fresh.epoch],
    train_loss: [...(now?.train_loss ?? []), ...fresh.train_loss],
    val_loss: [...(now?.val_loss ?? []), ...fresh.val_loss],
  };
  histories.value = { ...histories.value, [id]: joined.epoch.length > 4 * MOST ? thinned(joined) : joined };
}

/** Every other epoch, but always the last: a page that watches for days does not grow. */
function thinned(series: Series): Series {
  const last = series.epoch.length - 1;
  const keep = <T>(values: T[]): T[] => values.filter((_, i) => i === last || i % 2 === 0);
  return {
    epoch: keep(series.epoch),
    train_loss: keep(series.train_loss),
    val_loss: keep(series.val_loss),
  };
}
