// The parts of the list and the table of runs: status, sparkline and actions.
import { Action } from "../action";
import type { Job } from "../api";
import { confirmed } from "../dialog";
import { go, listed, toggle, view } from "../hash";
import {
  cancel,
  hasModel,
  isImported,
  isOver,
  nameOf,
  type Run,
  remove,
  restart,
  resume,
  sentence,
  submit,
  waitsForKernels,
} from "../runs";
import { verdictOf } from "./verdict";

const WIDTH = 52;
const HEIGHT = 16;

function pointsOf(losses: (number | null)[]): string {
  const values = losses.filter((v): v is number => v !== null && v > 0).map((v) => Math.log(v));
  const low = Math.min(...values);
  const high = Math.max(...values);
  const points = values.map((v, i) => {
    const x = (WIDTH * i) / Math.max(1, values.length - 1);
    const y = HEIGHT - 1 - ((HEIGHT - 2) * (v - low)) / (high - low || 1);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return points.join(" ");
}

/** The loss as a tiny chart, on a logarithmic scale. */
export function Sparkline({ run }: { run: Job }) {
  const losses = run.sparkline ?? [];
  if (losses.length < 2) return <span class="sparkline" />;
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      <polyline points={pointsOf(losses)} />
    </svg>
  );
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function said(run: Run): string {
  const { progress } = run;
  if (isImported(run)) return "imported";
  switch (run.status) {
    case "running":
      return progress.eta_seconds === null
        ? `${Math.round(100 * progress.fraction)}%`
        : `${Math.round(100 * progress.fraction)}% · ${duration(progress.eta_seconds)} left`;
    case "queued":
      if (waitsForKernels(run)) return "waiting for another CPU or version";
      return run.queue_position ? `queued, ${run.queue_position} ahead` : "queued, next";
    case "failed":
      return run.error?.code === "diverged"
        ? `diverged at epoch ${progress.epoch + 1}`
        : `failed: ${run.error?.code}`;
    case "cancelled":
      return `canceled at epoch ${progress.epoch}`;
    default:
      return "done";
  }
}

const SIGNS: Record<Job["status"], string> = {
  queued: "…",
  running: "",
  succeeded: "✓",
  failed: "✗",
  cancelled: "◼",
};

/** The progress of a run and its quality. */
export function Status({ run, loss = false }: { run: Run; loss?: boolean }) {
  const { fraction } = run.progress;
  const last = run.metrics.val_loss ?? run.metrics.train_loss;
  const verdict = verdictOf(run);
  const tone = verdict?.tone ?? (run.status === "failed" ? "bad" : "");
  const reason = run.error?.detail ?? verdict?.doc;
  const sign = isImported(run) ? "⇥" : verdict?.tone === "bad" ? "✗" : SIGNS[run.status];
  return (
    <span class={`status ${run.status} ${tone}`} title={reason && sentence(reason)}>
      {run.status === "running" ? (
        <progress max="1" value={fraction} aria-label={`${Math.round(100 * fraction)} percent`} />
      ) : (
        <span aria-hidden="true">{sign}</span>
      )}
      <span>
        {said(run)}
        {loss && run.status === "succeeded" && typeof last === "number" && `, loss ${last.toPrecision(3)}`}
        {verdict && run.status !== "failed" && <strong> · {verdict.text}</strong>}
      </span>
    </span>
  );
}

/** The checkbox that adds the loss of a run to the chart. */
export function InChart({ run }: { run: Run }) {
  if (isImported(run)) return <span class="no-chart" />;
  return (
    <input
      type="checkbox"
      checked={listed("with").includes(run.id)}
      aria-label={`Show the loss of ${nameOf(run)} in the chart`}
      title="Show in the loss chart"
      onChange={() => toggle("with", run.id)}
    />
  );
}

/** Puts a run on the stage. */
export function show(run: Run): void {
  if (run.id === view.value.job) return;
  go({ job: run.id, b: view.value.b === run.id ? "" : view.value.b, epoch: 0, class: -1, data: "" }, true);
}

/** Submits the run again with a third of the learning rate, which often helps after it diverged. */
function retry(run: Job): Promise<unknown> {
  const { training = {} } = run.spec;
  const learning_rate = (training.learning_rate ?? 1e-3) / 3;
  return submit({ ...run.spec, name: `${nameOf(run)}, lr ÷ 3`, training: { ...training, learning_rate } });
}

async function confirmRestart(run: Run): Promise<void> {
  const text = "Its history and model will be deleted, and it will be trained with what this server has.";
  confirmed(`Start ${nameOf(run)} afresh?`, text, "Start afresh", () => restart(run.id));
}

/** The actions that a run allows now: label, explanation, function. */
function actionsOf(run: Run): [string, string, () => Promise<unknown>][] {
  if (isImported(run)) return [];
  const stop: [string, string, () => Promise<unknown>] = [
    "Cancel",
    "Stop the training and keep the last checkpoint",
    () => cancel(run.id),
  ];
  if (waitsForKernels(run))
    return [["Start afresh", "Train from the beginning", () => confirmRestart(run)], stop];
  if (!isOver(run)) return [stop];
  if (run.error?.code === "diverged")
    return [["Retry with lr ÷ 3", "Train again with a third of the learning rate", () => retry(run)]];
  if (run.status === "succeeded")
    return [
      [
        "Train longer",
        "Continue for the same number of epochs",
        () => resume(run.id, run.progress.epochs * 2),
      ],
    ];
  return [["Resume", "Continue from the last checkpoint", () => resume(run.id)]];
}

/** Asks for confirmation, and then deletes the runs one after another. */
export function confirmDeletion(list: Run[]): void {
  const [first] = list;
  if (!first) return;
  const what = list.length === 1 ? nameOf(first) : `${list.length} runs`;
  const whose = list.length === 1 ? "Its history and model" : "Their histories and models";
  const text = isImported(first) && list.length === 1 ? "" : `${whose} will also be deleted. `;
  confirmed(`Delete ${what}?`, `${text}This cannot be undone.`, "Delete", async () => {
    for (const each of list) await remove(each);
  });
}

export function Actions({ run }: { run: Run }) {
  const name = nameOf(run);
  return (
    <div class="actions">
      {actionsOf(run).map(([label, doc, act]) => (
        <Action key={label} title={doc} act={act}>
          {label}
        </Action>
      ))}
      {hasModel(run) && run.id !== view.value.job && (
        <button
          type="button"
          title="Compare with the run on the stage, from the same noise"
          aria-label={`B: compare ${name} with the run on the stage`}
          aria-pressed={view.value.b === run.id}
          onClick={() => go({ b: view.value.b === run.id ? "" : run.id })}
        >
          B
        </button>
      )}
      <button type="button" class="danger" onClick={() => confirmDeletion([run])}>
        Delete
      </button>
    </div>
  );
}
