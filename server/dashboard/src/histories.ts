// The loss histories of the runs on screen. Each is loaded once, and then extended by events.
import { signal } from "@preact/signals";
import { client, type History } from "./api";

export type Values = (number | null)[];

/** Arrays of the same length, which grow in place. */
export interface Series {
  epoch: number[];
  train_loss: Values;
  val_loss: Values;
}

/** The data of an epoch event. */
export interface Epoch {
  epoch: number;
  train_loss: number | null;
  val_loss: number | null;
}

/** When a series has grown, it becomes a new object with the same arrays, so that the signal changes. */
export const histories = signal<Record<string, Series>>({});

/** The error for each run whose history could not be loaded. */
export const unread = signal<Record<string, string>>({});

const MOST = 2000; // epochs in the first request; the server thins longer histories, but keeps the peaks

/**
 * Keeps every other epoch and the last one, so that a page that stays open for days does not grow. It makes new arrays, because the
 * chart may still use the old ones.
 */
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
const EVERY_MS = 100; // minimum time between two updates of the chart, which leaves time for the stage
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

const early = new Map<string, Epoch[]>(); // epochs that arrived before earlier ones have been loaded

/** Adds the epochs of an event. Returns false if earlier ones are missing; the new ones are kept until those are loaded. */
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
    const known = series.epoch.at(-1) ?? 0; // an event may have added some meanwhile
    if (epoch > known)
      push(series, { epoch, train_loss: fresh.train_loss[i]!, val_loss: fresh.val_loss[i]! });
  });
  tellSoon(id);
  appendEarly(id);
}

/** Loads a run's history; after the first time, only the new epochs. */
export function loadHistory(id: string): Promise<void> {
  const now = reading.get(id) ?? read(id).finally(() => reading.delete(id));
  reading.set(id, now);
  return now;
}
