// All runs as a table that can be sorted, with what they came to beside what data itself would get.
import { useSignalEffect } from "@preact/signals";
import { type Job, keyState } from "../api";
import { datasetName } from "../data";
import { Dialog } from "../dialog";
import { evaluate, evaluationOf } from "../evaluations";
import { go } from "../hash";
import { isOver, nameOf } from "../runs";
import { Filter } from "./list";
import { chosenRuns, isDescending, sortBy, sortKey } from "./order";
import { Actions, InChart, Sparkline, Status, show } from "./parts";

const COLUMNS: [string, string, string][] = [
  ["name", "name", ""],
  ["data", "data", ""],
  ["status", "status", ""],
  ["epochs", "epochs", ""],
  ["train", "train", "training loss"],
  ["val", "val", "validation loss"],
  ["curve", "curve", "mean distance to the exact shape, and what data itself gets"],
  ["energy", "energy", "energy distance to the data, and what data itself gets"],
  ["created", "created", ""],
];

function number(value: number | null | undefined): string {
  return typeof value === "number" ? value.toPrecision(3) : "–";
}

function Measured({ run, metric, label }: { run: Job; metric: string; label: string }) {
  const known = evaluationOf(run);
  const measure = known?.metrics[metric];
  if (!measure)
    return (
      <td class="number" data-label={label}>
        {known || !isOver(run) || !run.model ? "–" : "…"}
      </td>
    );
  return (
    <td class="number" data-label={label}>
      {number(measure.value)} {measure.floor !== null && <small>floor {measure.floor.toPrecision(2)}</small>}
    </td>
  );
}

function Row({ run }: { run: Job }) {
  const created = new Date(run.created_at);
  return (
    <tr>
      <td>
        <InChart run={run} />
      </td>
      <th scope="row">
        <button
          type="button"
          class="link"
          onClick={() => {
            show(run);
            go({ panel: "" });
          }}
        >
          {nameOf(run)}
        </button>
      </th>
      <td data-label="data">{datasetName(run)}</td>
      <td data-label="status">
        <Status run={run} />
      </td>
      <td class="number" data-label="epochs">
        {run.progress.epoch} / {run.progress.epochs}
      </td>
      <td class="number" data-label="train">
        {number(run.metrics.train_loss)}
      </td>
      <td class="number" data-label="val">
        {number(run.metrics.val_loss)}
      </td>
      <Measured run={run} metric="curve_distance" label="curve" />
      <Measured run={run} metric="energy_distance" label="energy" />
      <td data-label="created">
        <time dateTime={run.created_at} title={created.toLocaleString()}>
          {created.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}
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

export function RunTable() {
  const list = chosenRuns();
  useSignalEffect(() => {
    if (keyState.value === "none") for (const run of chosenRuns()) evaluate(run);
  });
  const direction = isDescending() ? "descending" : "ascending";
  return (
    <Dialog title="Runs" wide onClose={() => go({ panel: "" })}>
      <Filter id="table-filter" />
      <div class="scroll">
        <table class="run-table">
          <thead>
            <tr>
              <td />
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
            {list.map((run) => (
              <Row key={run.id} run={run} />
            ))}
          </tbody>
        </table>
      </div>
      <p class="hint">
        A floor is what two draws of the data score against each other. Tick runs to lay their losses over one
        another.
      </p>
    </Dialog>
  );
}
