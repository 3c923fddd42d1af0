// The runs, kept up to date by the event stream, and what can be done with them.
import { computed, effect, signal } from "@preact/signals";
import { base, client, type Job, type JobRequest, must, postJson, url } from "./api";
import { datasetName } from "./data";
import { follow, type ServerEvent } from "./events";
import { go, listed, toggle, view } from "./hash";
import { append, histories, loadHistory } from "./histories";

export const jobs = signal<Job[]>([]); // newest first
export const loaded = signal(false);
export const loadError = signal("");
export const more = signal(""); // the id after which there are older runs
export const notice = signal(""); // the last thing that happened, for the live region

const find = (id: string) => jobs.value.find((each) => each.id === id);
export const job = computed(() => find(view.value.job));
export const jobB = computed(() => find(view.value.b));
export const isOver = (each: Job) => each.status !== "queued" && each.status !== "running";
export const hasModel = (each: Job | undefined): each is Job => !!each && each.model !== null;
/** What the server has to say, as a sentence: it begins and ends like one. The name of a field stays as it is. */
export const sentence = (text: string): string =>
  (/^[a-z]+_/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1)) +
  (/[.!?]$/.test(text) ? "" : ".");
export const nameOf = (each: Job): string => each.name ?? datasetName(each);

const PAGE = 100;

function put(fresh: Job): void {
  const before = find(fresh.id);
  if (before && before.status !== fresh.status) notice.value = `${nameOf(fresh)}: ${fresh.status}`;
  jobs.value = before
    ? jobs.value.map((each) => (each.id === fresh.id ? fresh : each))
    : [...jobs.value, fresh].sort((a, b) => (a.id < b.id ? 1 : -1)); // ids begin with the time
}

/** The runs that the address names may be older than the first page. */
async function loadNamed(): Promise<void> {
  for (const id of [view.value.job, view.value.b, ...listed("with")])
    if (id && !find(id)) await refreshJob(id);
}

async function loadPage(after?: string): Promise<void> {
  const query = after ? { limit: PAGE, after } : { limit: PAGE };
  const page = await must(client.GET("/v1/jobs", { params: { query } }));
  const seen = new Set(page.items.map((each) => each.id));
  const kept = after ? jobs.value.filter((each) => !seen.has(each.id)) : [];
  jobs.value = [...kept, ...page.items];
  more.value = page.next ?? "";
}

/** A run that the address named and that is not on the server, and the one that stands in for it. */
export const absent = signal({ id: "", instead: "" });

/** Called when the runs are there and the address names none of them. */
export const whenUnknown = new Set<() => boolean>();

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

export async function loadJobs(): Promise<void> {
  try {
    await loadPage();
    await choose();
    loadError.value = "";
  } catch (error) {
    loadError.value = (error as Error).message;
  }
  loaded.value = true;
}

export const loadMore = (): Promise<void> => loadPage(more.value);

async function refreshJob(id: string): Promise<void> {
  const { data, response } = await client.GET("/v1/jobs/{id}", { params: { path: { id } } });
  if (data) put(data);
  else if (response.status === 404) forget(id);
}

function forget(id: string): void {
  const wasHere = find(id) !== undefined;
  jobs.value = jobs.value.filter((each) => each.id !== id);
  if (!loaded.value) return; // the address may name it for another server
  if (wasHere && view.value.job === id) go({ job: jobs.value[0]?.id ?? "", epoch: 0 });
  if (view.value.b === id) go({ b: "" });
  if (listed("with").includes(id)) toggle("with", id);
}

/** Runs `work` now, and at most once more per `ms` however often it is asked for. */
function throttle(ms: number, work: (id: string) => Promise<void>): (id: string) => void {
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
const catchUp = throttle(1000, loadHistory);
const isWatched = (id: string) => !!histories.value[id] || id === view.value.job || id === view.value.b;

/** Called with the id of a job that has a new checkpoint. */
export const onCheckpoint = new Set<(id: string) => void>();

function take(event: ServerEvent): void {
  const { job: id, status } = event;
  if (!id) return;
  if (status === "deleted") {
    forget(id);
    return;
  }
  refresh(id);
  if (event.type === "epoch" && isWatched(id) && !append(id, event.epochs)) catchUp(id);
  if (status) for (const each of jobs.value) if (each.status === "queued" && each.id !== id) refresh(each.id);
  if (event.type === "checkpoint") for (const each of onCheckpoint) each(id);
}

export function start(): void {
  void loadJobs();
  follow(`${base}/v1/events`, take, () => void loadJobs());
  // Another address, or the first run of all, sent by someone else.
  const missing = computed(() => {
    const isMissing = loaded.value && jobs.value.length > 0 && !job.value && !isSeenTo();
    return isMissing ? `#${view.value.job}` : "";
  });
  effect(() => {
    if (missing.value) choose().catch(note);
  });
}

const note = (error: Error): void => {
  notice.value = error.message;
};

export async function cancel(id: string): Promise<void> {
  put(await must(client.POST("/v1/jobs/{id}/cancel", { params: { path: { id } } })));
}

export async function resume(id: string, epochs?: number): Promise<void> {
  put(
    await must(
      client.POST("/v1/jobs/{id}/resume", { params: { path: { id } }, body: epochs ? { epochs } : {} }),
    ),
  );
}

export async function remove(id: string): Promise<void> {
  await must(client.DELETE("/v1/jobs/{id}", { params: { path: { id }, query: { force: true } } }));
  forget(id);
}

export async function submit(request: JobRequest): Promise<Job> {
  const made = await postJson<Job>(url("/v1/jobs"), request);
  put(made);
  go({ job: made.id, panel: "", b: "", epoch: 0, process: "", class: -1, guidance: 1, data: "" }, true);
  return made;
}

/** Runs an action of a button; what goes wrong is said, not swallowed. */
export function attempt(work: () => Promise<unknown>): () => void {
  return () => {
    work().catch(note);
  };
}
