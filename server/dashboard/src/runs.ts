// The runs that the page has loaded, and the actions on them.
import { batch, computed, signal } from "@preact/signals";
import { ApiError, client, getJson, type Job, type JobRequest, type Model, must, postJson, url } from "./api";
import { datasetName } from "./data";
import { go, listed, toggle, view } from "./hash";

/** An imported model is listed as a run that has ended. It has no history. */
export type Run = Job & { imported?: true };

export const known = signal<Record<string, Run>>({});
export const jobs = computed<Run[]>(
  () => Object.values(known.value).sort((a, b) => (a.id < b.id ? 1 : -1)), // newest first: ids begin with the time
);
export const loaded = signal(false);
export const loadError = signal("");
/** The last notice. The number distinguishes notices with the same text. */
export const notice = signal({ text: "", number: 0 });
export function say(text: string): void {
  notice.value = { text, number: notice.peek().number + 1 };
}

export const job = computed<Run | undefined>(() => known.value[view.value.job]);
export const jobB = computed<Run | undefined>(() => known.value[view.value.b]);
export const isOver = (each: Job) => each.status !== "queued" && each.status !== "running";
export const hasModel = (each: Job | undefined): each is Job => !!each && each.model !== null;
export const isImported = (each: Run | undefined): boolean => each?.imported === true;
/** A status as the page spells it. */
const wordOf = (status: Job["status"]): string => (status === "cancelled" ? "canceled" : status);
/** Makes a message of the server a sentence, with a capital and a period. The name of a field at its start is not changed. */
export const sentence = (text: string): string =>
  (/^[a-z]+_/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1)) +
  (/[.!?]$/.test(text) ? "" : ".");
export const nameOf = (each: Job): string => each.name ?? datasetName(each);

/** A run in the address that the server does not have, and the run that is shown instead. */
export const absent = signal({ id: "", instead: "" });

/** Called when the runs have been loaded and the address names none of them. */
export const whenUnknown = new Set<() => boolean>();
/** Called with the id of a job that has a new checkpoint. */
export const onCheckpoint = new Set<(id: string) => void>();

/** Deleted runs, so that a late response does not bring one back. */
const deleted = new Set<string>();

/** Stores runs as the server has sent them. Only lists contain sparklines, so older ones are kept. */
export function put(...fresh: Run[]): void {
  const next = { ...known.value };
  for (const each of fresh) {
    if (deleted.has(each.id)) continue;
    const before = next[each.id];
    if (before && before.status !== each.status) say(`${nameOf(each)}: ${wordOf(each.status)}`);
    next[each.id] = before?.sparkline ? { sparkline: before.sparkline, ...each } : each;
  }
  known.value = next;
}

export function forget(id: string): void {
  deleted.add(id);
  if (!known.value[id]) return;
  const { [id]: _, ...rest } = known.value;
  batch(() => {
    known.value = rest;
    if (!loaded.value) return; // the address may be meant for another server
    if (view.value.job === id) go({ job: jobs.value[0]?.id ?? "", epoch: 0 });
    if (view.value.b === id) go({ b: "" });
    if (listed("with").includes(id)) toggle("with", id);
  });
}

/** Loads a run again, and forgets it if it no longer exists. Throws any other error. */
export async function refreshJob(id: string): Promise<void> {
  try {
    put(await must(client.GET("/v1/jobs/{id}", { params: { path: { id } } })));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    if (known.value[id]) forget(id);
  }
}

/** Stores the evaluation of the model at this epoch. */
export function noteEvaluation(id: string, epoch: number, evaluation: Job["evaluation"]): void {
  const run = known.value[id];
  if (run?.progress.epoch === epoch) put({ ...run, evaluation });
}

/** A model as a run. */
export function asRun(
  model: Pick<Model, "id" | "name" | "spec" | "epoch" | "warnings" | "evaluation" | "created_at" | "links">,
): Run {
  const { id, name, spec, epoch, warnings, evaluation, created_at, links } = model;
  return {
    ...{ id, name, spec, warnings, evaluation, created_at, links, imported: true, status: "succeeded" },
    ...{ model: id, queue_position: null, error: null, attempt: 0, node: null, arithmetic: null },
    ...{ started_at: null, finished_at: null },
    metrics: { train_loss: null, val_loss: null },
    progress: {
      ...{ epoch, epochs: epoch, step: 1, steps: 1, fraction: 1, seconds: 0 },
      ...{ steps_per_second: null, eta_seconds: null },
    },
  };
}

/** Shows a run on the stage, in the default view. */
const toStage = (id: string) =>
  go(
    {
      ...{ job: id, panel: "", b: "", epoch: 0, process: "", data: "" },
      ...{ class: -1, guidance: -1, guidance_ratio_min: -1, guidance_ratio_max: -1 },
    },
    true,
  );

export async function importModel(file: File): Promise<void> {
  say(`Importing ${file.name} …`);
  const model = await getJson<Model>(url("/v1/models"), {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: file,
  });
  put(asRun(model));
  say(`${file.name} has been imported.`);
  toStage(model.id);
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

/** Trains the run from the beginning, without what it has learned so far. */
export async function restart(id: string): Promise<void> {
  const params = { path: { id }, query: { afresh: true } };
  put(await must(client.POST("/v1/jobs/{id}/resume", { params, body: {} })));
}

/** It is queued, but this server cannot continue its checkpoint. */
export const waitsForKernels = (run: Run): boolean =>
  run.warnings.some((each) => each.code === "waits_for_kernels");

export async function remove(run: Run): Promise<void> {
  const path = { id: run.id };
  await (isImported(run)
    ? must(client.DELETE("/v1/models/{id}", { params: { path } }))
    : must(client.DELETE("/v1/jobs/{id}", { params: { path, query: { force: true } } })));
  forget(run.id);
}

export async function submit(request: JobRequest): Promise<Job> {
  const made = await postJson<Job>(url("/v1/jobs"), request);
  put(made);
  toStage(made.id);
  return made;
}

/** Makes a handler of an action. If the action fails, a notice shows the error. */
export function attempt(work: () => Promise<unknown>): () => void {
  return () => {
    work().catch((error: Error) => say(error.message));
  };
}
