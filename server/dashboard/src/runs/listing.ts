// The list of runs. The server searches, filters, sorts and counts; the page loads a part of it, and again after events.
import { computed, effect, signal } from "@preact/signals";
import { base, client, type Job, must } from "../api";
import { follow, type ServerEvent } from "../events";
import { go, listed, view } from "../hash";
import { append, histories, loadHistory } from "../histories";
import { followNodes } from "../nodes/nodes";
import {
  absent,
  asRun,
  forget,
  hasModel,
  isImported,
  job,
  jobs,
  known,
  loadError,
  loaded,
  nameOf,
  onCheckpoint,
  put,
  type Run,
  refreshJob,
  say,
  whenUnknown,
} from "../runs";

const PAGE = 50;
const MOST = 200; // maximum number of runs per request
const SPARKLINE = 40; // number of losses in a sparkline

export const search = signal("");
export type Status = Job["status"] | "imported";
export const chosen = signal<Status[]>([]); // empty: all

/** The sort keys of the table, with the server's names. */
export const ORDERS = [
  ...["created_at", "name", "dataset", "status", "epoch", "train_loss", "val_loss"],
  ...["curve_distance", "energy_distance"],
] as const;
const order = computed(() => {
  const { sort } = view.value;
  return ORDERS.some((each) => sort === each || sort === `-${each}`) ? sort : "-created_at";
});
export const sortKey = (): string => order.value.replace(/^-/, "");
export const isDescending = (): boolean => order.value.startsWith("-");

/** Sorts by a column; a second call reverses the order. */
export function sortBy(key: string): void {
  go({ sort: order.value === key ? `-${key}` : key });
}

const ids = signal<string[]>([]); // of the jobs, in the server's order
const imports = signal<string[]>([]);
let hasImports = false;
export const counts = signal<Partial<Record<Status, number>>>({});
export const more = signal(""); // the cursor of the next page; "" if there is none

/** Whether the list contains only imported models. */
export const isOfImports = computed(() => chosen.value.length === 1 && chosen.value[0] === "imported");

/** Whether an imported model comes before a run. It has no losses, so in any order but time and name it comes last. */
function isBefore(a: Run, b: Run): boolean {
  const key = (run: Run) => (sortKey() === "name" ? nameOf(run).toLowerCase() : run.id);
  if (!["created_at", "name"].includes(sortKey())) return false;
  return isDescending() ? key(a) > key(b) : key(a) < key(b);
}

const present = (list: string[]): Run[] => list.flatMap((id) => known.value[id] ?? []);

/** The listed runs, with imported models in their places, up to the end of the loaded pages. */
export const rows = computed<Run[]>(() => {
  const out = isOfImports.value ? [] : present(ids.value);
  const shown = chosen.value.length === 0 || chosen.value.includes("imported");
  for (const model of shown ? present(imports.value) : []) {
    const at = out.findIndex((each) => isBefore(model, each));
    if (at >= 0) out.splice(at, 0, model);
    else if (isOfImports.value || !more.value) out.push(model);
  }
  return out;
});

let asked = 0;

async function ask(limit: number, after?: string) {
  const status = chosen.value.filter((each) => each !== "imported");
  const query = {
    ...{ limit, sparkline: SPARKLINE, counts: true, sort: order.value as "-created_at" },
    ...(search.value.trim() ? { search: search.value.trim() } : {}),
    ...(status.length > 0 ? { status } : {}),
    ...(after ? { after } : {}),
  };
  const mine = ++asked;
  const page = await must(client.GET("/v1/jobs", { params: { query } }));
  if (mine !== asked) return undefined; // another request has been made meanwhile
  put(...page.items);
  counts.value = { ...page.counts, imported: imports.value.length };
  return { next: page.next ?? "", ids: page.items.map((each) => each.id) };
}

async function loadRows(most = PAGE): Promise<void> {
  const limit = isOfImports.value ? 1 : most; // a list of imports needs only the counts
  const page = await ask(limit);
  if (!page) return;
  const seen = new Set(page.ids);
  const rest = ids.value.length > limit ? ids.value.slice(limit).filter((id) => !seen.has(id)) : [];
  ids.value = [...page.ids, ...rest];
  if (rest.length === 0) more.value = page.next;
}

export async function loadMore(): Promise<void> {
  const page = await ask(PAGE, more.value);
  if (!page) return;
  ids.value = [...new Set([...ids.value, ...page.ids])];
  more.value = page.next;
}

export async function loadImports(): Promise<void> {
  const text = search.value.trim();
  const query = { imported: "true" as const, limit: MOST, ...(text ? { search: text } : {}) };
  const page = await must(client.GET("/v1/models", { params: { query } }));
  put(...page.items.map(asRun));
  imports.value = page.items.map((each) => each.id);
  if (!text) hasImports = page.items.length > 0;
  counts.value = { ...counts.value, imported: imports.value.length };
}

/** Loads the runs that the address names: they may be older than the first page, or imported. */
async function loadNamed(): Promise<void> {
  const named = [view.value.job, view.value.b, ...listed("with")];
  const missing = () => named.filter((id) => id && !known.value[id]);
  if (missing().length > 0) await loadImports();
  for (const id of missing()) await refreshJob(id);
}

let taken = ""; // the data of the link that whenUnknown has opened
let choosing: Promise<void> | undefined;
const isSeenTo = () => !job.value && view.value.data !== "" && view.value.data === taken;

async function settle(): Promise<void> {
  if (isSeenTo()) return; // the runs are loaded again after each reconnection
  const wanted = view.value.job;
  await loadNamed();
  if (job.value) return;
  if ([...whenUnknown].some((each) => each())) {
    taken = view.value.data;
    return;
  }
  const instead = (jobs.value.find(hasModel) ?? jobs.value[0])?.id ?? "";
  absent.value = { id: wanted, instead };
  if (instead) go({ job: instead, epoch: 0 });
}

/** Puts a run on the stage, if there are any: the one that the address names, or else the newest with a model. */
function choose(): Promise<void> {
  choosing ??= settle().finally(() => {
    choosing = undefined;
  });
  return choosing;
}

const LATER_MS = 1500;

/** Checks runs that are no longer in the list: the server may have another database now. */
async function verify(before: string[]): Promise<void> {
  const named = new Set([view.value.job, view.value.b, ...listed("with")]);
  const doubtful = before.filter((id) => !ids.value.includes(id) && !isImported(known.value[id]));
  const dropped = new Set(doubtful.filter((id) => !named.has(id)));
  known.value = Object.fromEntries(Object.entries(known.value).filter(([id]) => !dropped.has(id)));
  for (const id of doubtful) if (named.has(id)) await refreshJob(id);
}

const asFarAsNow = () => Math.max(PAGE, Math.min(MOST, ids.value.length));

export async function loadJobs(): Promise<void> {
  try {
    const before = Object.keys(known.value);
    await loadRows(asFarAsNow());
    await verify(before);
    if (jobs.value.length === 0) await loadImports();
    else setTimeout(attemptImports, LATER_MS); // the picture is loaded first
    setTimeout(followNodes, LATER_MS);
    await choose();
    loadError.value = "";
  } catch (error) {
    loadError.value = (error as Error).message;
  }
  loaded.value = true;
}

const note = (error: Error): void => say(error.message);
const attemptImports = () => void loadImports().catch(note);

/** Returns a function that runs `work` at once, and repeats it at most once per `ms`, however often it is called. */
function throttle(ms: number, work: (id: string) => Promise<unknown>): (id: string) => void {
  const waiting = new Map<string, boolean>(); // id -> whether to run again afterwards
  const run = async (id: string): Promise<void> => {
    waiting.set(id, false);
    await work(id).catch(() => undefined);
    setTimeout(() => {
      const again = waiting.get(id);
      waiting.delete(id);
      if (again) void run(id);
    }, ms);
  };
  return (id) => {
    if (waiting.has(id)) waiting.set(id, true);
    else void run(id);
  };
}

const refresh = throttle(250, refreshJob);
const refreshRows = throttle(500, () => loadRows(asFarAsNow()));
const catchUp = throttle(1000, loadHistory);
const isOnStage = (id: string) => id === view.value.job || id === view.value.b;
const isWatched = (id: string) => !!histories.value[id] || isOnStage(id);

/** Extends the sparkline of a run; the next refresh shows it. */
function grow(id: string, { epochs }: ServerEvent): void {
  const losses = known.value[id]?.sparkline;
  if (!losses) return;
  for (const each of epochs) losses.push(each.val_loss ?? each.train_loss);
  if (losses.length > 3 * SPARKLINE)
    known.value[id]!.sparkline = losses.filter((_, i) => i % 2 === 0 || i === losses.length - 1);
}

function take(event: ServerEvent): void {
  const { job: id, status } = event;
  if (!id) return;
  if (status === "deleted") {
    forget(id);
    refreshRows("");
    return;
  }
  if (event.type === "epoch") {
    grow(id, event);
    if (isWatched(id) && !append(id, event.epochs)) catchUp(id);
  }
  if (status) refreshRows(""); // one request, which also updates the positions in the queue
  if (known.value[id] && (!status || isOnStage(id) || !ids.value.includes(id))) refresh(id);
  if (event.type === "checkpoint") for (const each of onCheckpoint) each(id);
}

const WAIT_MS = 400;
const TYPING_MS = 200;

export function start(): void {
  // The list is loaded after the stream is open, so that it contains everything from before. If the stream does not open soon,
  // the list is loaded anyway.
  const anyway = setTimeout(() => void loadJobs(), WAIT_MS);
  follow(`${base}/v1/events`, take, () => {
    clearTimeout(anyway);
    void loadJobs();
  });
  // The address has changed, or another client has submitted the first run.
  const missing = computed(() => {
    const isMissing = loaded.value && jobs.value.length > 0 && !job.value && !isSeenTo();
    return isMissing ? `#${view.value.job}` : "";
  });
  effect(() => {
    if (missing.value) choose().catch(note);
  });
  const wanted = computed(() => JSON.stringify([search.value.trim(), chosen.value, order.value]));
  let last = wanted.value;
  let timer = 0;
  effect(() => {
    if (wanted.value === last) return;
    last = wanted.value;
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      ids.value = ids.value.slice(0, PAGE);
      loadRows().catch(note);
      if (hasImports) attemptImports();
    }, TYPING_MS);
  });
}
