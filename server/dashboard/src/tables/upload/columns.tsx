// The columns of the file, one in each line: what was understood of it, its type to change, and whether it is the label.

import { withoutParameter } from "../../new/trouble";
import { sentence } from "../../runs";
import { Bars } from "../bars";
import { counted, percent, TYPES, valuesOf } from "../words";
import { type Column, type ColumnType, change, faults, preview, setType, wishes } from "./upload";

const MOST_CLASSES = 64;

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

export function Columns() {
  return (
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
        {preview.value!.columns.map((column) => (
          <Line key={column.name} column={column} />
        ))}
      </tbody>
    </table>
  );
}
