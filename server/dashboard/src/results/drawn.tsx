// The tab of rows: rows that the model draws, as the file would have them, and with columns that the user holds.
import { computed, signal } from "@preact/signals";
import { Action } from "../action";
import { getBytes, hasKey, type Job, type Query, url } from "../api";
import { copy } from "../copy";
import { classesOf } from "../data";
import { go, view } from "../hash";
import { hasModel, job, nameOf } from "../runs";
import { download } from "../stage/record";
import { sampleQuery } from "../stage/trajectory";
import { tab } from "../tabs";
import { CellField, cellOf } from "./cell-field";
import { readCsv } from "./csv";
import { resource } from "./resource";
import { allColumns, columns, labelName } from "./rows";
import type { Cell } from "./values";

const SHOWN = 100; // maximum number of rows on the page
const MOST = 100_000; // as the API allows

const count = signal(SHOWN);
/** What the user holds: texts by column, of one run. */
const held = signal<{ of: string; texts: Record<string, string> }>({ of: "", texts: {} });

/** Whether each cell has a value. */
const isWhole = signal(false);

const canHold = (run: Job): boolean => run.spec.training?.conditioning === "any";

function givenOf(run: Job): Record<string, Cell> {
  const texts = held.value.of === run.id && canHold(run) ? held.value.texts : {};
  return Object.fromEntries(
    columns.value
      .filter(({ name }) => texts[name])
      .map((column): [string, Cell] => [column.name, cellOf(column, texts[column.name]!)]),
  );
}

const hasGaps = (): boolean => columns.value.some(({ missing }) => missing > 0);

const hold = (run: Job, name: string, text: string) => {
  const texts = held.value.of === run.id ? held.value.texts : {};
  held.value = { of: run.id, texts: { ...texts, [name]: text } };
};

interface Order {
  address: string;
  body: string | null; // of a POST; null: it is a GET
}

/** The request for n rows as CSV. */
function orderOf(run: Job, n: number): Order {
  const query: Query = { ...sampleQuery(view.value, run), frames: undefined, n };
  if (isWhole.value && hasGaps()) query.missing = "never";
  const path = `/v1/models/${run.id}/samples.csv`;
  const given = givenOf(run);
  if (Object.keys(given).length === 0) return { address: url(path, query), body: null };
  return { address: url(path), body: JSON.stringify({ ...query, given }) };
}

const send = ({ address, body }: Order, signal?: AbortSignal): Promise<ArrayBuffer> =>
  getBytes(address, {
    ...(signal && { signal }),
    ...(body && { method: "POST", headers: { "Content-Type": "application/json" }, body }),
  });

function curlOf({ address, body }: Order): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const key = hasKey() ? ` -H "Authorization: Bearer $KEY"` : "";
  const data = body ? ` -H 'Content-Type: application/json' -d ${quoted(body)}` : "";
  return `curl -s${key} ${quoted(address)}${data} -o rows.csv`;
}

const wanted = computed<Order | null>(() => {
  const run = job.value;
  return run && hasModel(run) && tab.value === "rows" ? orderOf(run, Math.min(SHOWN, count.value)) : null;
});

const rows = resource<string[][]>(() => {
  const order = wanted.value;
  const epoch = job.value?.progress.epoch ?? 0;
  return order
    ? {
        ...{ of: job.value!.id, key: JSON.stringify(order), round: view.value.epoch ? 0 : epoch },
        load: async (signal) => readCsv(new TextDecoder().decode(await send(order, signal))),
      }
    : null;
});

/** The class is what the label says. */
function Label({ run }: { run: Job }) {
  const classes = classesOf(run);
  if (classes.length === 0) return null;
  return (
    <CellField
      column={{ name: labelName.value, type: "categorical", levels: classes }}
      value={classes[view.value.class] ?? ""}
      empty="drawn"
      set={(name) => go({ class: classes.indexOf(name) })}
    />
  );
}

function Held({ run }: { run: Job }) {
  const texts = held.value.of === run.id ? held.value.texts : {};
  const fields = columns.value.filter(({ name, follows }) => name !== labelName.value && !follows);
  const many = Object.keys(givenOf(run)).length + (view.value.class >= 0 ? 1 : 0);
  return (
    <details class="held" open={many > 0}>
      <summary>
        Hold columns <small>{many > 0 ? `${many} held` : "to draw the others given their values"}</small>
      </summary>
      <div class="cell-fields">
        <Label run={run} />
        {canHold(run) ? (
          fields.map((column) => (
            <CellField
              key={column.name}
              column={column}
              value={texts[column.name] ?? ""}
              empty="drawn"
              set={(text) => hold(run, column.name, text)}
            />
          ))
        ) : (
          <p class="hint">Columns can be held if the model was trained with the conditioning “any”.</p>
        )}
      </div>
    </details>
  );
}

function Lines({ lines, kept }: { lines: string[][]; kept: Set<string> }) {
  const [header = [], ...body] = lines;
  const types = new Map(allColumns.value.map(({ name, type }) => [name, type]));
  const look = header.map((name) => {
    const isNumber = ["numeric", "integer"].includes(types.get(name) ?? "");
    return [isNumber ? "number" : "", kept.has(name) ? "kept" : ""].filter(Boolean).join(" ");
  });
  return (
    <div class="lines">
      <table>
        <caption class="sr-only">Rows from the model</caption>
        <thead>
          <tr>
            {header.map((name, j) => (
              <th key={j} scope="col" class={look[j]}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {body.map((line, i) => (
            <tr key={i}>
              {line.map((cell, j) => (
                <td key={j} class={look[j]}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

async function save(run: Job, order: Order): Promise<void> {
  download(new Blob([await send(order)], { type: "text/csv" }), `${nameOf(run)}.csv`);
}

export function Drawn() {
  const run = job.value!;
  const order = orderOf(run, count.value);
  const lines = rows.value.value;
  const kept = new Set([...Object.keys(givenOf(run)), ...(view.value.class >= 0 ? [labelName.value] : [])]);
  return (
    <>
      <div class="drawn-tools">
        <label>
          Rows{" "}
          <input
            type="number"
            min={1}
            max={MOST}
            value={count.value}
            onChange={(event) => {
              const n = Math.round(Number(event.currentTarget.value));
              if (Number.isFinite(n)) count.value = Math.min(MOST, Math.max(1, n));
            }}
          />
        </label>
        <button type="button" onClick={() => go({ seed: view.value.seed + 1 })}>
          Draw others
        </button>
        {hasGaps() && (
          <label class="whole">
            <input
              type="checkbox"
              checked={isWhole.value}
              onChange={(event) => (isWhole.value = event.currentTarget.checked)}
            />
            No missing cells
          </label>
        )}
        <Action act={() => save(run, order)} title={`All ${count.value.toLocaleString("en")} rows as a file`}>
          Download CSV
        </Action>
        <button type="button" onClick={() => void copy(curlOf(order))} title={curlOf(order)}>
          Copy as curl
        </button>
      </div>
      <Held run={run} />
      {rows.error.value && (
        <p class="error" role="alert">
          {rows.error.value}
        </p>
      )}
      {lines && !rows.error.value && <Lines lines={lines} kept={kept} />}
      {count.value > SHOWN && (
        <p class="hint">
          The first {SHOWN} of {count.value.toLocaleString("en")} rows; the file has all.
        </p>
      )}
    </>
  );
}
