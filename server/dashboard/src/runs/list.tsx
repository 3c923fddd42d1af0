// The runs beside the stage: choose one, see how far they are.
import type { Job } from "../api";
import { keyState } from "../api";
import { datasetName } from "../data";
import { go, view } from "../hash";
import { attempt, jobs, loadError, loadJobs, loadMore, more, nameOf } from "../runs";
import { chosenRuns, filter } from "./order";
import { Actions, InChart, Sparkline, Status, show } from "./parts";

export function Filter({ id }: { id: string }) {
  return (
    <input
      id={id}
      type="search"
      placeholder="filter"
      aria-label="filter the runs"
      title="key /"
      value={filter.value}
      onInput={(event) => (filter.value = event.currentTarget.value)}
    />
  );
}

function Run({ run }: { run: Job }) {
  const chosen = run.id === view.value.job;
  return (
    <li class={`run${chosen ? " chosen" : ""}`}>
      <div class="run-line">
        <InChart run={run} />
        <button type="button" class="run-name" aria-current={chosen} onClick={() => show(run)}>
          <strong>{nameOf(run)}</strong>
          <small>{run.name ? datasetName(run) : ""}</small>
        </button>
        <Sparkline run={run} />
      </div>
      <Status run={run} loss />
      <Actions run={run} />
    </li>
  );
}

function Trouble() {
  const locked = keyState.value === "later";
  return (
    <p class="error" role="alert">
      {loadError.value}{" "}
      <button
        type="button"
        onClick={() => {
          if (locked) keyState.value = "wanted";
          else void loadJobs();
        }}
      >
        {locked ? "Enter a key" : "Try again"}
      </button>
    </p>
  );
}

export function RunList() {
  const list = chosenRuns();
  return (
    <section class="runs" id="runs" tabIndex={-1} aria-labelledby="runs-title">
      <header>
        <h2 id="runs-title">Runs</h2>
        {jobs.value.length > 1 && (
          <button type="button" title="all runs as a table (r)" onClick={() => go({ panel: "runs" }, true)}>
            Table
          </button>
        )}
        <button type="button" class="primary" title="key n" onClick={() => go({ panel: "new" }, true)}>
          + New
        </button>
      </header>
      {jobs.value.length > 3 && <Filter id="filter" />}
      {loadError.value && <Trouble />}
      <ul>
        {list.map((run) => (
          <Run key={run.id} run={run} />
        ))}
      </ul>
      {jobs.value.length > 0 && list.length === 0 && <p class="empty">No run matches.</p>}
      {more.value && (
        <button type="button" onClick={attempt(loadMore)}>
          Older runs
        </button>
      )}
    </section>
  );
}
