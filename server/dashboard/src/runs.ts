// The runs and their loss histories, kept up to date by the event stream.
import { computed, signal } from "@preact/signals";
import { base, client, type History, type Job, must } from "./api";
import { follow, type ServerEvent } from "./events";
import { go, view } from "./hash";

export interface Series {
  epoch: number[];
  train_loss: (number | null)[];
  val_loss: (number | null)[];
}

export const jobs = signal<Job[]>([]); // newest first
export const loaded = signal(false);
export const loadError = signal("");
export const histories = signal<Record<string, Series>>({});
export const notice = signal(""); // the last thing that happened, for the live region

export const job = computed(() => jobs.value.find((each) => each.id === view.value.job));
export const jobB = computed(() => jobs.value.find((each) => each.id === view.value.b));
export const isOver = (each: Job) => each.status !== "queued" && each.status !== "running";
export const hasModel = (each: Job | undefined) => !!each && each.progress.epoch > 0;

const PAGE = 100;

function put(fresh: Job): void {
  const rest = jobs.value;
  const at = rest.findIndex((each) => each.id === fresh.id);
  const before = rest[at];
  if (before && before.status !== fresh.status) notice.value = `${nameOf(fresh)}: ${fresh.status}`;
  jobs.value = at < 0 ? [fresh, ...rest] : rest.map((each) => (each.id === fresh.id ? fresh : each));
}

export const nameOf = (each: Job): string => each.name ?? datasetOf(each);
export function datasetOf(each: Job): string {
  const dataset = each.spec.dataset as unknown;
  const name = (one: unknown): string =>
    typeof one === "string" ? one : ((one as { name?: string; id?: string }).name ?? "upload");
  return Array.isArray(dataset) ? dataset.map(name).join(" + ") : name(dataset);
}

export async function loadJobs(): Promise<void> {
  try {
    const page = await must(client.GET("/v1/jobs", { params: { query: { limit: PAGE } } }));
    jobs.value = page.items;
    loadError.value = "";
    if (!job.value && jobs.value[0]) go({ job: (jobs.value.find(hasModel) ?? jobs.value[0]).id });
  } catch (error) {
    loadError.value = (error as Error).message;
  }
  loaded.value = true;
}

async function refreshJob(id: string): Promise<void> {
  const { data, response } = await client.GET("/v1/jobs/{id}", { params: { path: { id } } });
  if (data) put(data);
  else if (response.status === 404) forget(id);
}

function forget(id: string): void {
  jobs.value = jobs.value.filter((each) => each.id !== id);
  if (view.value.job === id) go({ job: jobs.value[0]?.id ?? "" });
  if (view.value.b === id) go({ b: "" });
}

/** Reads what is new of a run's history; the whole of it at first, thinned by the server. */
export async function loadHistory(id: string): Promise<void> {
  const known = histories.value[id];
  const after = known?.epoch.at(-1) ?? 0;
  const query = known ? { after } : { max_points: 2000 };
  const answer = await client.GET("/v1/jobs/{id}/history", { params: { path: { id }, query } });
  const data = answer.data as History | undefined;
  if (!data || data.data.epoch.length === 0) return;
  const now = histories.value[id];
  if ((now?.epoch.at(-1) ?? 0) !== after) return; // another answer came first
  const fresh = data.data as unknown as Series;
  histories.value = {
    ...histories.value,
    [id]: {
      epoch: [...(now?.epoch ?? []), ...fresh.epoch],
      train_loss: [...(now?.train_loss ?? []), ...fresh.train_loss],
      val_loss: [...(now?.val_loss ?? []), ...fresh.val_loss],
    },
  };
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

const refresh = throttle(250, async (id) => {
  await refreshJob(id);
  if (histories.value[id] || id === view.value.job || id === view.value.b) await loadHistory(id);
});

/** Called with the id of a job that has a new checkpoint. */
export const onCheckpoint = new Set<(id: string) => void>();

function take(event: ServerEvent): void {
  const { job: id, status } = JSON.parse(event.data) as { job?: string; status?: string };
  if (!id) return;
  if (status === "deleted") {
    forget(id);
    return;
  }
  refresh(id);
  if (event.type === "checkpoint") for (const each of onCheckpoint) each(id);
}

export function start(): void {
  void loadJobs();
  follow(`${base}/v1/events`, take, () => void loadJobs());
}

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

export async function submit(request: object): Promise<Job> {
  const made = await must(client.POST("/v1/jobs", { body: request as never }));
  put(made as Job);
  go({ job: (made as Job).id, panel: "", b: "" }, true);
  return made as Job;
}
