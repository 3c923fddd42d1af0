// The runs: what they are, how far they are, and what can be done with them.
import { signal } from "@preact/signals";
import type { Job } from "./api";
import { confirmed } from "./dialog";
import { go, view } from "./hash";
import { overlaid } from "./loss";
import {
  cancel,
  datasetOf,
  hasModel,
  histories,
  isOver,
  jobs,
  loadError,
  loaded,
  loadJobs,
  nameOf,
  notice,
  remove,
  resume,
  submit,
} from "./runs";

const filter = signal("");

function Sparkline({ id }: { id: string }) {
  const series = histories.value[id];
  if (!series || series.epoch.length < 2) return null;
  const every = Math.max(1, Math.floor(series.epoch.length / 40));
  const values = series.train_loss
    .filter((_, i) => i % every === 0)
    .filter((v): v is number => v !== null)
    .map((v) => Math.log(v));
  const low = Math.min(...values);
  const high = Math.max(...values);
  const points = values.map(
    (v, i) =>
      `${((46 * i) / (values.length - 1)).toFixed(1)},${(13 - (12 * (v - low)) / (high - low || 1)).toFixed(1)}`,
  );
  return (
    <svg class="sparkline" viewBox="0 0 46 14" aria-hidden="true">
      <polyline points={points.join(" ")} />
    </svg>
  );
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function Status({ run }: { run: Job }) {
  const { progress } = run;
  if (run.status === "running") {
    const percent = Math.round(100 * progress.fraction);
    return (
      <span class="status running">
        <progress max="1" value={progress.fraction} aria-label={`${percent} percent`} />
        {percent} %{progress.eta_seconds !== null && ` · ${duration(progress.eta_seconds)} left`}
      </span>
    );
  }
  if (run.status === "queued")
    return (
      <span class="status queued">
        queued{run.queue_position ? `, ${run.queue_position} ahead` : ", next"}
      </span>
    );
  if (run.status === "failed")
    return (
      <span class="status failed" title={run.error?.detail ?? ""}>
        ✗ {run.error?.code} at epoch {progress.epoch + 1}
      </span>
    );
  const loss = run.metrics.val_loss ?? run.metrics.train_loss;
  return (
    <span class={`status ${run.status}`}>
      {run.status === "succeeded" ? "✓" : "◼ cancelled"}
      {loss !== null && loss !== undefined && ` loss ${loss.toPrecision(3)}`}
    </span>
  );
}

/** Runs an action of a button; what goes wrong is said, not swallowed. */
function attempt(work: () => Promise<unknown>): () => void {
  return () => {
    work().catch((error: Error) => {
      notice.value = error.message;
    });
  };
}

/** The same training with a third of the learning rate: what helps a run that diverged. */
function retry(run: Job): Promise<unknown> {
  const spec = structuredClone(run.spec) as { training: { learning_rate: number }; name?: string };
  spec.training.learning_rate /= 3;
  spec.name = `${nameOf(run)}, smaller steps`;
  return submit(spec);
}

function Actions({ run }: { run: Job }) {
  const ask = () =>
    confirmed(
      `Delete ${nameOf(run)}?`,
      "Its history and its model go too. This cannot be undone.",
      "Delete",
      attempt(() => remove(run.id)),
    );
  return (
    <div class="actions">
      {!isOver(run) && (
        <button type="button" onClick={attempt(() => cancel(run.id))}>
          Cancel
        </button>
      )}
      {run.status === "failed" && run.error?.code === "diverged" && (
        <button type="button" onClick={attempt(() => retry(run))}>
          Retry with lr ÷ 3
        </button>
      )}
      {(run.status === "cancelled" || (run.status === "failed" && run.error?.code !== "diverged")) && (
        <button type="button" onClick={attempt(() => resume(run.id))}>
          Resume
        </button>
      )}
      {run.status === "succeeded" && (
        <button
          type="button"
          title="as many epochs again"
          onClick={attempt(() => resume(run.id, run.progress.epochs * 2))}
        >
          Train on
        </button>
      )}
      {hasModel(run) && run.id !== view.value.job && (
        <button
          type="button"
          aria-pressed={view.value.b === run.id}
          onClick={() => go({ b: view.value.b === run.id ? "" : run.id })}
        >
          B
        </button>
      )}
      <button type="button" class="danger" onClick={ask}>
        Delete
      </button>
    </div>
  );
}

function Run({ run }: { run: Job }) {
  const chosen = run.id === view.value.job;
  const ticked = overlaid.value.includes(run.id);
  return (
    <li class={chosen ? "run chosen" : "run"}>
      <div class="run-line">
        <input
          type="checkbox"
          checked={ticked}
          aria-label={`loss of ${nameOf(run)} in the chart`}
          title="in the loss chart"
          onChange={() => {
            overlaid.value = ticked
              ? overlaid.value.filter((id) => id !== run.id)
              : [...overlaid.value, run.id];
          }}
        />
        <button
          type="button"
          class="run-name"
          aria-current={chosen}
          onClick={() => go({ job: run.id, b: view.value.b === run.id ? "" : view.value.b }, true)}
        >
          <strong>{nameOf(run)}</strong>
          <small>{run.name ? datasetOf(run) : ""}</small>
        </button>
        <Sparkline id={run.id} />
      </div>
      <Status run={run} />
      {chosen && <Actions run={run} />}
      {!chosen && view.value.job && hasModel(run) && <Actions run={run} />}
    </li>
  );
}

export function RunList() {
  const words = filter.value.toLowerCase();
  const list = jobs.value.filter((run) =>
    `${nameOf(run)} ${datasetOf(run)} ${run.status} ${run.id}`.toLowerCase().includes(words),
  );
  return (
    <section class="runs" aria-labelledby="runs-title">
      <header>
        <h2 id="runs-title">Runs</h2>
        <button type="button" class="primary" title="key n" onClick={() => go({ panel: "new" }, true)}>
          + New
        </button>
      </header>
      {jobs.value.length > 3 && (
        <input
          id="filter"
          type="search"
          placeholder="filter  ( / )"
          aria-label="filter the runs"
          value={filter.value}
          onInput={(event) => (filter.value = event.currentTarget.value)}
        />
      )}
      {loadError.value && (
        <p class="error" role="alert">
          {loadError.value}{" "}
          <button type="button" onClick={() => void loadJobs()}>
            Try again
          </button>
        </p>
      )}
      {loaded.value && !loadError.value && jobs.value.length === 0 && <FirstVisit />}
      <ul>
        {list.map((run) => (
          <Run key={run.id} run={run} />
        ))}
      </ul>
      {jobs.value.length > 0 && list.length === 0 && <p class="empty">No run matches.</p>}
    </section>
  );
}

function FirstVisit() {
  return (
    <div class="first">
      <p>Nothing has been trained here yet.</p>
      <button
        type="button"
        class="primary"
        onClick={attempt(() => submit({ name: "spiral, first try", dataset: "spiral" }))}
      >
        Train a spiral
      </button>
      <p>
        or{" "}
        <button type="button" onClick={() => go({ panel: "draw" }, true)}>
          draw something
        </button>{" "}
        and let it be dreamt.
      </p>
    </div>
  );
}
