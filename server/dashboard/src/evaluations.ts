// The metrics of the models, each with its floor, the score of real data. They are requested one at a time, because each request
// costs the server time.
import { effect, signal } from "@preact/signals";
import type { components } from "contract";
import { ApiError, base, getJson, type Job, url } from "./api";
import { connection } from "./events";
import { hasModel, isOver, noteEvaluation, say } from "./runs";

interface Measure {
  value?: number | null;
  mean?: number | null;
  floor?: number | null;
}
export interface Metric {
  value: number;
  floor: number | null;
}
/** How good the samples are as a synthetic table. */
export type TableReport = NonNullable<components["schemas"]["Evaluation"]["table"]>;
/** How good they are as images. */
type ImageReport = NonNullable<components["schemas"]["Evaluation"]["images"]>;
interface Evaluation {
  epoch: number;
  metrics: Record<string, Metric>; // empty if the data set no longer exists
  table: TableReport | null; // null if it is no table, or if the data set no longer exists
  confusion: number[][] | null; // of images with classes: how many drawn of each are seen as each
}

export const METRICS: [string, string][] = [
  ["fld", "Fréchet distance"],
  ["accuracy", "right label"],
  ["nearest", "nearest training image"],
  ["curve_distance", "distance to the curve"],
  ["energy_distance", "energy distance"],
  ["sliced_wasserstein", "sliced Wasserstein"],
  ["wasserstein", "Wasserstein-2"],
  ["chamfer", "Chamfer"],
  ["mmd", "MMD"],
  ["coverage", "coverage"],
];

const POINTS = 500;
const LOCK = `denoised evaluation ${base}`; // allows one request at a time across all tabs

export const evaluations = signal<Record<string, Evaluation>>({});
/** The ids of the runs that are waiting for their evaluation. */
export const waiting = signal<string[]>([]);

/** The epochs of the runs whose evaluation failed. It is repeated only on demand, or when the connection is restored. */
const failed = signal<Record<string, number>>({});
effect(() => {
  if (connection.value === "live") failed.value = {};
});

export const evaluationOf = (run: Job): Evaluation | undefined => {
  const known = evaluations.value[run.id];
  return known?.epoch === run.progress.epoch ? known : undefined;
};

export const canEvaluate = (run: Job): boolean => isOver(run) && hasModel(run);

const alone = async (work: () => Promise<void>): Promise<void> => {
  await (navigator.locks ? navigator.locks.request(LOCK, work) : work());
};

let last: Promise<void> = Promise.resolve();

function queue(run: Job, whenFailed: (error: Error) => void): void {
  if (!canEvaluate(run) || evaluationOf(run) || waiting.peek().includes(run.id)) return;
  waiting.value = [...waiting.peek(), run.id];
  last = last.then(async () => {
    await alone(() => ask(run)).catch((error: Error) => {
      failed.value = { ...failed.peek(), [run.id]: run.progress.epoch };
      whenFailed(error);
    });
    waiting.value = waiting.peek().filter((id) => id !== run.id);
  });
}

/** Requests the evaluation of a run that has ended. The server stores the result, so that the next request is fast. */
export function evaluate(run: Job): void {
  queue(run, (error) => say(error.message));
}

/** The same, without a notice if it fails. To be called in an effect, which runs again when another attempt may succeed. */
export function evaluateUnasked(run: Job): void {
  if (failed.value[run.id] !== run.progress.epoch) queue(run, () => undefined);
}

async function ask(run: Job): Promise<void> {
  const metrics: Record<string, Metric> = {};
  let table: TableReport | null = null;
  let confusion: number[][] | null = null;
  const { epoch } = run.progress;
  try {
    const answer = await getJson<{
      n: number;
      metrics: Record<string, Measure | null>;
      table: TableReport | null;
      images: ImageReport | null;
    }>(url(`/v1/models/${run.id}/evaluation`, { n: POINTS }));
    table = answer.table;
    confusion = answer.images?.confusion ?? null;
    const { fld, accuracy, nearest } = answer.images ?? {};
    const ofImages: Record<string, Measure | undefined> = { fld, accuracy, nearest };
    for (const [name] of METRICS) {
      const measure = answer.metrics[name] ?? ofImages[name];
      const value = measure?.value ?? measure?.mean;
      if (typeof value === "number") metrics[name] = { value, floor: measure?.floor ?? null };
    }
    if (!answer.images)
      noteEvaluation(run.id, epoch, {
        n: answer.n,
        curve_distance: metrics.curve_distance ?? null,
        energy_distance: metrics.energy_distance ?? null,
        coverage: metrics.coverage ?? null,
      });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
  }
  evaluations.value = { ...evaluations.value, [run.id]: { epoch, metrics, table, confusion } };
}
