// How good the models are, each number beside what data itself gets. One question at a time: each costs computing.
import { signal } from "@preact/signals";
import { getJson, type Job, url } from "./api";
import { hasModel, isOver } from "./runs";

interface Measure {
  value?: number | null;
  mean?: number | null;
  floor?: number | null;
}
export interface Metric {
  value: number;
  floor: number | null;
}
interface Evaluation {
  epoch: number;
  metrics: Record<string, Metric>;
}

export const METRICS: [string, string][] = [
  ["curve_distance", "distance to the curve"],
  ["energy_distance", "energy distance"],
  ["sliced_wasserstein", "sliced Wasserstein"],
  ["wasserstein", "Wasserstein-2"],
  ["chamfer", "Chamfer"],
  ["mmd", "MMD"],
  ["coverage", "coverage"],
];

const POINTS = 500;

export const evaluations = signal<Record<string, Evaluation>>({});
const queue: Job[] = [];
let busy = false;

export const evaluationOf = (run: Job): Evaluation | undefined => {
  const known = evaluations.value[run.id];
  return known?.epoch === run.progress.epoch ? known : undefined;
};

/** Asks for the evaluation of a run that is over. */
export function evaluate(run: Job): void {
  if (!isOver(run) || !hasModel(run) || evaluationOf(run)) return;
  if (queue.some((each) => each.id === run.id)) return;
  queue.push(run);
  if (!busy) void work();
}

async function work(): Promise<void> {
  busy = true;
  for (let run = queue[0]; run; run = queue[0]) {
    const metrics = await ask(run.id);
    evaluations.value = { ...evaluations.value, [run.id]: { epoch: run.progress.epoch, metrics } };
    queue.shift();
  }
  busy = false;
}

async function ask(id: string): Promise<Record<string, Metric>> {
  try {
    const answer = await getJson<{ metrics: Record<string, Measure | null> }>(
      url(`/v1/models/${id}/evaluation`, { n: POINTS }),
    );
    return Object.fromEntries(
      METRICS.flatMap(([name]) => {
        const measure = answer.metrics[name];
        const value = measure?.value ?? measure?.mean;
        return typeof value === "number" ? [[name, { value, floor: measure?.floor ?? null }]] : [];
      }),
    );
  } catch {
    return {}; // its data set is gone: there is nothing to hold it against
  }
}
