// All runs as a table that the server sorts, with their metrics beside the scores of real data.
import { signal } from "@preact/signals";
import { datasetName } from "../data";
import { Dialog } from "../dialog";
import { canEvaluate, evaluate, waiting } from "../evaluations";
import { go, listed } from "../hash";
import { OnNode } from "../nodes/summary";
import { isImported, nameOf, type Run } from "../runs";
import { Filter } from "./filter";
import { More } from "./list";
import { isDescending, rows, sortBy, sortKey } from "./listing";
import { Actions, confirmDeletion, Sparkline, Status, show } from "./parts";

const COLUMNS: [string, string, string][] = [
  ["name", "Name", ""],
  ["dataset", "Data", ""],
  ["status", "Status", ""],
  ["epoch", "Epochs", ""],
  ["train_loss", "Train", "Training loss"],
  ["val_loss", "Val", "Validation loss"],
  ["curve_distance", "Curve", "Mean distance to the exact shape"],
  ["energy_distance", "Energy", "Energy distance to the data"],
  ["created_at", "Created", ""],
];

const ticked = signal<string[]>([]);
const tickedRuns = (): Run[] => rows.value.filter((run) => ticked.value.includes(run.id));

function tick(id: string): void {
  const others = ticked.value.filter((each) => each !== id);
  ticked.value = others.length < ticked.value.length ? others : [...others, id];
}

function number(value: number | null | undefined): string {
  return typeof value === "number" ? value.toPrecision(3) : "–";
}

function Measured({
  run,
  metric,
  label,
}: {
  run: Run;
  metric: "curve_distance" | "energy_distance";
  label: string;
}) {
  const measure = run.evaluation?.[metric];
  const isAsked = waiting.value.includes(run.id);
  return (
    <td class="number" data-label={label}>
      {measure ? (
        <>
          {number(measure.value)}{" "}
          {measure.floor !== null && <small>floor {measure.floor.toPrecision(2)}</small>}
        </>
      ) : isAsked ? (
        "…"
      ) : metric === "energy_distance" && !run.evaluation && canEvaluate(run) ? (
        <button
          type="button"
          class="link"
          aria-label={`Evaluate ${nameOf(run)}`}
          onClick={() => evaluate(run)}
        >
          Evaluate
        </button>
      ) : (
        "–"
      )}
    </td>
  );
}

/** The date and time of a run; the year only if it is not the current one. */
function day(time: Date): string {
  const year = time.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return time.toLocaleString([], {
    year,
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
}

function Row({ run }: { run: Run }) {
  const created = new Date(run.created_at);
  const name = nameOf(run);
  return (
    <tr>
      <td>
        <input
          type="checkbox"
          aria-label={`Select ${name}`}
          checked={ticked.value.includes(run.id)}
          onChange={() => tick(run.id)}
        />
      </td>
      <th scope="row">
        <button
          type="button"
          class="link"
          title={name}
          onClick={() => {
            show(run);
            go({ panel: "" });
          }}
        >
          {name}
        </button>
      </th>
      <td class="words" data-label="Data" title={datasetName(run)}>
        {datasetName(run)}
      </td>
      <td class="words" data-label="Status">
        <Status run={run} />
        <OnNode run={run} />
      </td>
      <td class="number" data-label="Epochs">
        {run.progress.epoch} / {run.progress.epochs}
      </td>
      <td class="number" data-label="Train">
        {number(run.metrics.train_loss)}
      </td>
      <td class="number" data-label="Val">
        {number(run.metrics.val_loss)}
      </td>
      <Measured run={run} metric="curve_distance" label="Curve" />
      <Measured run={run} metric="energy_distance" label="Energy" />
      <td data-label="Created">
        <time dateTime={run.created_at} title={created.toLocaleString()}>
          {day(created)}
        </time>
      </td>
      <td>
        <Sparkline run={run} />
      </td>
      <td>
        <Actions run={run} />
      </td>
    </tr>
  );
}

/** The actions on all selected runs. */
function Selected() {
  const list = tickedRuns();
  if (list.length === 0)
    return <p class="hint">Select runs to overlay their loss curves, or to evaluate or delete them.</p>;
  const overlay = () => {
    const ids = new Set([...listed("with"), ...list.filter((run) => !isImported(run)).map((run) => run.id)]);
    go({ with: [...ids].join("."), panel: "" });
  };
  return (
    <fieldset class="selected" aria-label="Selected runs">
      <span>{list.length} selected</span>
      <button type="button" onClick={overlay}>
        Overlay losses
      </button>
      <button type="button" onClick={() => list.forEach(evaluate)}>
        Evaluate
      </button>
      <button type="button" class="danger" onClick={() => confirmDeletion(list)}>
        Delete {list.length}
      </button>
    </fieldset>
  );
}

function All() {
  const all = rows.value.map((run) => run.id);
  const some = tickedRuns().length;
  return (
    <input
      type="checkbox"
      aria-label="Select all"
      checked={some > 0 && some === all.length}
      indeterminate={some > 0 && some < all.length}
      onChange={(event) => (ticked.value = event.currentTarget.checked ? all : [])}
    />
  );
}

export function RunTable() {
  const direction = isDescending() ? "descending" : "ascending";
  return (
    <Dialog title="Runs" wide onClose={() => go({ panel: "" })}>
      <div class="table-tools">
        <Filter id="table-filter" />
        <Selected />
      </div>
      <div class="scroll">
        <table class="run-table">
          <thead>
            <tr>
              <td>
                <All />
              </td>
              {COLUMNS.map(([key, label, doc]) => (
                <th key={key} scope="col" aria-sort={sortKey() === key ? direction : "none"}>
                  <button type="button" class="link" title={doc} onClick={() => sortBy(key)}>
                    {label}
                    <span aria-hidden="true">{sortKey() === key ? (isDescending() ? " ▾" : " ▴") : ""}</span>
                  </button>
                </th>
              ))}
              <td />
              <td />
            </tr>
          </thead>
          <tbody>
            {rows.value.map((run) => (
              <Row key={run.id} run={run} />
            ))}
          </tbody>
        </table>
      </div>
      {rows.value.length === 0 && <p class="empty">No run matches.</p>}
      <More />
      <p class="hint">The floor is what two draws of the data score against each other.</p>
    </Dialog>
  );
}
