// The list of runs: the server searches, filters, sorts and counts; the page asks for a part, and again when something has happened.
import { computed, effect, signal } from "@preact/signals";
import { base, client, type Job, must } from "../api";
import { follow, type ServerEvent } from "../events";
import { go, listed, view } from "../hash";
import { append, histories, loadHistory } from "../histories";
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
const MOST = 200; // of a request
const SPARKLINE = 40; // losses

export const search = signal("");
export type Status = Job["status"] | "imported";
export const chosen = signal<Status[]>([]); // none: all

/** What the table can be sorted by, as the server calls it. */
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

/** Sorts by this; a second time: the other way round. */
export function sortBy(key: string): void {
  go({ sort: order.value === key ? `-${key}` : key });
}

const ids = signal<string[]>([]); // of the jobs, as the server has put them in order
const imports = signal<string[]>([]);
let hasImports = false;
export const counts = signal<Partial<Record<Status, number>>>({});
export const more = signal(""); // where the next page begins

/** Whether the list is of imported models alone. */
export const isOfImports = computed(() => chosen.value.length === 1 && chosen.value[0] === "imported");

/** Imported models have no losses: but by time and by name, they stand behind the runs. */
function isBefore(a: Run, b: Run): boolean {
  const key = (run: Run) => (sortKey() === "name" ? nameOf(run).toLowerCase() : run.id);
  if (!["created_at", "name"].includes(sortKey())) return false;
  return isDescending() ? key(a) > key(b) : key(a) < key(b);
}

const present = (list: string[]): Run[] => list.flatMap((id) => known.value[id] ?? []);

/** The runs that are listed, with the imported models among them as far as the list goes. */
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
  if (mine !== asked) return undefined; // something else has been asked for meanwhile
  put(...page.items);
  counts.value = { ...page.counts, imported: imports.value.length };
  return { next: page.next ?? "", ids: page.items.map((each) => each.id) };
}

async function loadRows(most = PAGE): Promise<void> {
  const limit = isOfImports.value ? 1 : most; // then only how many there are is of use
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

/** The runs that the address names may be older than the first page, or imported. */
async function loadNamed(): Promise<void> {
  const named = [view.value.job, view.value.b, ...listed("with")];
  const missing = () => named.filter((id) => id && !known.value[id]);
  if (missing().length > 0) await loadImports();
  for (const id of missing()) await refreshJob(id);
}

let taken = ""; // the data of the link that whenUnknown has seen to
let choosing: Promise<void> | undefined;
const isSeenTo = () => !job.value && view.value.data !== "" && view.value.data === taken;

async function settle(): Promise<void> {
  if (isSeenTo()) return; // the runs are loaded again whenever the connection comes
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

/** Sees to it that there is a run on the stage, if there are runs: the one that the address names, or the newest. */
function choose(): Promise<void> {
  choosing ??= settle().finally(() => {
    choosing = undefined;
  });
  return choosing;
}

const LATER_MS = 1500;

/** What is not in the list any more may be gone: another database may stand where the old one was. */
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
    else setTimeout(attemptImports, LATER_MS); // the picture comes first
    await choose();
    loadError.value = "";
  } catch (error) {
    loadError.value = (error as Error).message;
  }
  loaded.value = true;
}

const note = (error: Error): void => say(error.message);
const attemptImports = () => void loadImports().catch(note);

/** Runs `work` now, and at most once more per `ms` however often it is asked for. */
function throttle(ms: number, work: (id: string) => Promise<unknown>): (id: string) => void {
  const waiting = new Map<string, boolean>(); // id -> asked again meanwhile
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

/** A small picture grows with the run; it is told of with the next refresh. */
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
  if (status) refreshRows(""); // one request, which also says how far those that wait have come
  if (known.value[id] && (!status || isOnStage(id) || !ids.value.includes(id))) refresh(id);
  if (event.type === "checkpoint") for (const each of onCheckpoint) each(id);
}

const WAIT_MS = 400;
const TYPING_MS = 200;

export function start(): void {
  // What happens before the stream is heard is in the list that is asked for after that.
  const anyway = setTimeout(() => void loadJobs(), WAIT_MS);
  follow(`${base}/v1/events`, take, () => {
    clearTimeout(anyway);
    void loadJobs();
  });
  // Another address, or the first run of all, sent by someone else.
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
