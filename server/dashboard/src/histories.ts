// The loss histories of the runs that somebody looks at: read once, and then kept up by the events.
import { signal } from "@preact/signals";
import { client, type History } from "./api";

export type Values = (number | null)[];

/** Of the same length; they grow in place. */
export interface Series {
  epoch: number[];
  train_loss: Values;
  val_loss: Values;
}

/** What an event tells of an epoch. */
export interface Epoch {
  epoch: number;
  train_loss: number | null;
  val_loss: number | null;
}

/** A series that has grown is told by a new object around the same arrays. */
export const histories = signal<Record<string, Series>>({});

/** Why the history of a run could not be read. */
export const unread = signal<Record<string, string>>({});

const MOST = 2000; // epochs of a run that are first asked for: the server thins, and keeps the peaks

/** Every other epoch, but always the last: a page that watches for days does not grow. The chart may still hold the old arrays. */
function thin(series: Series): void {
  const last = series.epoch.length - 1;
  const keep = <T>(values: T[]): T[] => values.filter((_, i) => i === last || i % 2 === 0);
  series.epoch = keep(series.epoch);
  series.train_loss = keep(series.train_loss);
  series.val_loss = keep(series.val_loss);
}

function push(series: Series, { epoch, train_loss, val_loss }: Epoch): void {
  series.epoch.push(epoch);
  series.train_loss.push(train_loss);
  series.val_loss.push(val_loss);
  if (series.epoch.length > 4 * MOST) thin(series);
}

const grown = new Set<string>();
const EVERY_MS = 100; // a chart is redrawn at most as often as this: the stage needs its frames
let timer = 0;

function tell(): void {
  timer = 0;
  const now = { ...histories.value };
  for (const id of grown) if (now[id]) now[id] = { ...now[id] };
  grown.clear();
  histories.value = now;
}

function tellSoon(id: string): void {
  grown.add(id);
  if (timer === 0) timer = window.setTimeout(() => requestAnimationFrame(tell), EVERY_MS);
}

const early = new Map<string, Epoch[]>(); // epochs that came while others before them are still to be read

/** Adds the epochs that an event brought; false if some before them are missing: they wait until those are read. */
export function append(id: string, epochs: Epoch[]): boolean {
  const series = histories.value[id];
  let last = series?.epoch.at(-1) ?? 0;
  for (const [i, each] of epochs.entries()) {
    if (series && each.epoch <= last) continue;
    if (!series || each.epoch > last + 1) {
      early.set(id, [...(early.get(id) ?? []), ...epochs.slice(i)].slice(-MOST));
      return false;
    }
    push(series, each);
    last = each.epoch;
    tellSoon(id);
  }
  return true;
}

function appendEarly(id: string): void {
  const epochs = early.get(id) ?? [];
  early.delete(id);
  append(id, epochs);
}

const reading = new Map<string, Promise<void>>();

async function read(id: string): Promise<void> {
  const after = histories.value[id]?.epoch.at(-1);
  const query = after === undefined ? { max_points: MOST } : { after };
  const answer = await client.GET("/v1/jobs/{id}/history", { params: { path: { id }, query } });
  if (answer.error) unread.value = { ...unread.value, [id]: answer.error.detail ?? answer.error.title };
  const fresh = (answer.data as History | undefined)?.data as unknown as Series | undefined;
  if (!fresh || fresh.epoch.length === 0) return;
  const series = histories.value[id];
  if (!series) {
    const { epoch, train_loss, val_loss } = fresh;
    histories.value = { ...histories.value, [id]: { epoch, train_loss, val_loss } };
    appendEarly(id);
    return;
  }
  fresh.epoch.forEach((epoch, i) => {
    const known = series.epoch.at(-1) ?? 0; // an event may have come first
    if (epoch > known)
      push(series, { epoch, train_loss: fresh.train_loss[i]!, val_loss: fresh.val_loss[i]! });
  });
  tellSoon(id);
  appendEarly(id);
}

/** Reads what is new of a run's history; the whole of it at first. */
export function loadHistory(id: string): Promise<void> {
  const now = reading.get(id) ?? read(id).finally(() => reading.delete(id));
  reading.set(id, now);
  return now;
}
