// The tab of scores: how typical a row is of the data. It begins with a real row, which the user can change.
import { computed, signal } from "@preact/signals";
import type { components } from "contract";
import { type Job, postJson, url } from "../api";
import { classesOf } from "../data";
import { view } from "../hash";
import { hasModel, job } from "../runs";
import { tab } from "../tabs";
import { CellField, cellOf } from "./cell-field";
import { resource } from "./resource";
import { type Column, columns, data, labelName, table } from "./rows";
import type { Cell } from "./values";

type Score = components["schemas"]["Score"];

/** The row in the fields: a real one by its number, and what the user has changed. */
const row = signal<{ of: string; at: number; changes: Record<string, string> }>({
  of: "",
  at: 0,
  changes: {},
});

const current = computed(() =>
  row.value.of === job.value?.id ? row.value : { of: job.value?.id ?? "", at: 0, changes: {} },
);

/** The columns that the score depends on. */
const fields = computed<Column[]>(() => columns.value.filter(({ follows }) => !follows));

function textOf(name: string): string {
  const { at, changes } = current.value;
  const changed = changes[name];
  if (changed !== undefined) return changed;
  const cells = data.value?.cells.get(name);
  const cell = cells?.[at % cells.length];
  return cell === null || cell === undefined ? "" : String(cell);
}

/** The row as the API takes it: by the names of the columns, or as numbers of a model that knows no others. */
function requestOf(run: Job) {
  const epoch = view.value.epoch > 0 ? { epoch: view.value.epoch } : {};
  const cells = fields.value.map((column): [string, Cell] => [
    column.name,
    cellOf(column, textOf(column.name)),
  ]);
  const isLabel = ([name]: [string, Cell]) => name === labelName.value && classesOf(run).length > 0;
  const known = cells.filter((each) => !isLabel(each) || each[1] !== null);
  if (table.value && run.spec.training?.normalization === "quantile")
    return { points: [Object.fromEntries(known)], ...epoch };
  const label = known.find(isLabel)?.[1];
  return {
    points: [known.filter((each) => !isLabel(each)).map(([, cell]) => cell)],
    ...(label && { label }),
    ...epoch,
  };
}

const score = resource<Score>(() => {
  const run = job.value;
  if (!run || !hasModel(run) || tab.value !== "score" || columns.value.length === 0) return null;
  const body = requestOf(run);
  if (Object.values(body.points[0]!).every((cell) => cell === null)) return null; // nothing has been entered yet
  return {
    ...{ of: run.id, key: JSON.stringify([run.id, body]), round: 0 },
    load: () => postJson<Score>(url(`/v1/models/${run.id}/score`), body),
  };
});

const ODD = 1; // percent of the held-out rows: a row below this is as unlikely as few real ones

/** What the percentile means. */
export function sentenceOf(percentile: number, heldOut: number): string {
  const rows = `${heldOut.toLocaleString("en")} real rows that training did not use`;
  if (percentile <= 0) return `Less typical than all of ${rows}: an anomaly.`;
  if (percentile < ODD) return `Less typical than ${(100 - percentile).toFixed(1)}% of ${rows}: an anomaly.`;
  if (percentile >= 100) return `More typical than all of ${rows}.`;
  return `More typical than ${Math.round(percentile)}% of ${rows}.`;
}

function Answer({ of }: { of: Score }) {
  const [density, percentile] = [of.log_density[0] ?? null, of.percentile?.[0] ?? null];
  return (
    <div class="score" role="status">
      {percentile !== null && (
        <>
          <p class={percentile < ODD ? "bad" : ""}>{sentenceOf(percentile, of.held_out)}</p>
          <svg class="scale" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
            <rect x="0" y="3" width="100" height="2" />
            <path d={`M${percentile} 0v8`} vector-effect="non-scaling-stroke" />
          </svg>
          <p class="ends">
            <span>least typical</span>
            <span>most typical</span>
          </p>
        </>
      )}
      <p class="hint">
        Log-density {density === null ? "–" : density.toFixed(2)} nats, in the units of the model.
        {percentile === null && " No rows were held out, so there is nothing to compare it with."}
      </p>
    </div>
  );
}

export function Scores() {
  const { at, changes } = current.value;
  const of = job.value!.id;
  const answer = score.value.value;
  const total = data.value?.n ?? 0;
  return (
    <div class="scoring">
      <section aria-label="The row">
        <div class="drawn-tools">
          {total > 0 && (
            <button type="button" onClick={() => (row.value = { of, at: (at + 1) % total, changes: {} })}>
              Another real row
            </button>
          )}
          {Object.keys(changes).length > 0 && (
            <button type="button" onClick={() => (row.value = { of, at, changes: {} })}>
              Undo changes
            </button>
          )}
        </div>
        <div class="cell-fields">
          {fields.value.map((column) => (
            <CellField
              key={column.name}
              column={column}
              value={textOf(column.name)}
              empty="missing"
              set={(text) => (row.value = { of, at, changes: { ...changes, [column.name]: text } })}
            />
          ))}
        </div>
      </section>
      <section aria-label="Its score" aria-busy={score.isBusy.value}>
        {score.error.value ? (
          <p class="error" role="alert">
            {score.error.value}
          </p>
        ) : answer ? (
          <Answer of={answer} />
        ) : (
          <p class="hint">
            {score.isBusy.value ? "Scoring … The first score of a model takes longer." : "Enter a row."}
          </p>
        )}
      </section>
    </div>
  );
}
