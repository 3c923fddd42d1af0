// The columns of the file, one in each line: what was understood of it, its type to change, and whether it is the label.

import { useState } from "preact/hooks";
import { withoutParameter } from "../../new/trouble";
import { sentence } from "../../runs";
import { Bars } from "../bars";
import { counted, percent, TYPES, valuesOf } from "../words";
import {
  type Column,
  type ColumnType,
  change,
  faults,
  leaveOut,
  preview,
  setApart,
  setType,
  wishes,
} from "./upload";

const MOST_CLASSES = 64;
const FEW = 12; // columns that need no search

const LIKELY: ColumnType[] = ["numeric", "integer", "boolean", "categorical", "datetime", "id"];

function TypeChoice({ column }: { column: Column }) {
  const { name } = column;
  const isWrong = name in faults.value;
  const type = isWrong ? (wishes.value.types[name] ?? "") : column.type;
  const types = type === "" || LIKELY.includes(type) ? LIKELY : [...LIKELY, type];
  return (
    <select
      aria-label={`Type of ${name}`}
      aria-invalid={isWrong}
      value={type}
      onChange={(event) => setType(name, event.currentTarget.value as ColumnType)}
    >
      {type === "" && <option value="">Choose a type</option>}
      {types.map((each) => (
        <option key={each} value={each}>
          {TYPES[each]}
        </option>
      ))}
    </select>
  );
}

/** What would make a column acceptable, by the server's own words about it. */
function remediesOf(name: string, fault: string): [string, () => void][] {
  const [, named] = /choose the type "(\w+)"/.exec(fault) ?? [];
  const remedies: [string, () => void][] = [];
  if (fault.includes("?decimal="))
    remedies.push(
      ["A comma marks decimals", () => change({ decimal: "comma" })],
      ["A point marks decimals", () => change({ decimal: "point" })],
    );
  if (fault.includes("?label=")) remedies.push(["Use as label", () => change({ label: name })]);
  if (!named || named === "categorical")
    remedies.push(["Use as a category", () => setType(name, "categorical")]);
  remedies.push(["Do not train on it", () => setType(name, "id")]);
  return remedies;
}

/** The button goes away with its error, so the focus moves to the type of the column, where the change is shown. */
function accept(button: HTMLElement, act: () => void): void {
  button.closest("tr")?.querySelector("select")?.focus();
  act();
}

function Fault({ name }: { name: string }) {
  const fault = faults.value[name]!;
  return (
    <div role="alert">
      <p class="error">{sentence(withoutParameter(fault))}</p>
      <div class="buttons">
        {remediesOf(name, fault).map(([label, act]) => (
          <button
            key={label}
            type="button"
            aria-label={`${label}: ${name}`}
            onClick={(event) => accept(event.currentTarget, act)}
          >
            {label}
          </button>
        ))}
      </div>
    </div>
  );
}

function ClassChoice({ column }: { column: Column }) {
  const isLabel = preview.value!.label === column.name;
  const isPossible = isLabel || (column.distinct > 1 && column.distinct <= MOST_CLASSES);
  if (!isPossible) return null;
  return (
    <button
      type="button"
      aria-pressed={isLabel}
      aria-label={`Use as label: ${column.name}`}
      title="Each value of this column becomes a class that can be sampled separately"
      onClick={() => change({ label: isLabel ? null : column.name })}
    >
      Use as label
    </button>
  );
}

/** Whether a column that follows from another one is filled in, or trained on like the others. */
function Following({ column: { name, follows } }: { column: Column }) {
  const isApart = wishes.value.apart.includes(name);
  if (follows === null && !isApart) return null;
  const words = isApart ? "Fill it in" : "Train on it";
  return (
    <button type="button" aria-label={`${words}: ${name}`} onClick={() => setApart(name, !isApart)}>
      {words}
    </button>
  );
}

function Line({ column }: { column: Column }) {
  const { n, label, classes } = preview.value!;
  const isWrong = column.name in faults.value;
  const isLabel = label === column.name;
  const state = isWrong ? "wrong" : isLabel ? "label" : column.coordinate === null ? "out" : "";
  return (
    <tr class={state}>
      <th scope="row">
        {column.name}
        {!isWrong && column.notes.map((note) => <small key={note}>{note}</small>)}
        {!isWrong && <Following column={column} />}
      </th>
      <td>
        <TypeChoice column={column} />
      </td>
      {isWrong ? (
        <td colSpan={4}>
          <Fault name={column.name} />
        </td>
      ) : (
        <>
          <td>
            <Bars column={column} {...(isLabel ? { classes } : {})} />
          </td>
          <td>
            {valuesOf(column)}
            {!column.levels && <small>{counted(column.distinct, "different value")}</small>}
          </td>
          <td class={column.missing > 0 ? "missing" : "missing none"}>
            {column.missing > 0 ? percent(column.missing / n) : "none"}
          </td>
          <td>
            <ClassChoice column={column} />
          </td>
        </>
      )}
    </tr>
  );
}

/** Columns that are one too many, or cannot be used otherwise, can all be left out at once. */
function LeaveOut() {
  const names = Object.keys(faults.value).filter((name) =>
    faults.value[name]!.includes('choose the type "id"'),
  );
  if (names.length < 2) return null;
  return (
    <button type="button" onClick={() => leaveOut(names)}>
      Do not train on these {names.length} columns
    </button>
  );
}

export function Columns() {
  const [sought, seek] = useState("");
  const [onlyWrong, restrict] = useState(false);
  const { columns } = preview.value!;
  const wrong = Object.keys(faults.value).length;
  const shown = columns.filter(
    ({ name }) =>
      name.toLowerCase().includes(sought.trim().toLowerCase()) &&
      (!onlyWrong || wrong === 0 || name in faults.value),
  );
  return (
    <div class="found-columns">
      {columns.length > FEW && (
        <div class="search">
          <input
            type="search"
            placeholder="Find a column"
            aria-label="Find a column"
            value={sought}
            onInput={(event) => seek(event.currentTarget.value)}
          />
          {wrong > 0 && (
            <label>
              <input
                type="checkbox"
                checked={onlyWrong}
                onChange={(event) => restrict(event.currentTarget.checked)}
              />
              Only those that cannot be used
            </label>
          )}
          <span class="hint" role="status">
            {shown.length < columns.length && `${shown.length} of ${columns.length} columns`}
          </span>
          <LeaveOut />
        </div>
      )}
      <section
        class={columns.length > FEW ? "scroll" : ""}
        aria-label="Columns"
        tabIndex={columns.length > FEW ? 0 : -1}
      >
        <table class="columns">
          <caption class="sr-only">Columns of the file</caption>
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col">Type</th>
              <th scope="col">Distribution</th>
              <th scope="col">Values</th>
              <th scope="col">Missing</th>
              <th scope="col">Label</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((column) => (
              <Line key={column.name} column={column} />
            ))}
          </tbody>
        </table>
      </section>
    </div>
  );
}
