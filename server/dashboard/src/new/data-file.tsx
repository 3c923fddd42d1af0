// The dialog for a data file: it shows the columns of the file, and asks which to use before training.
import { useEffect, useRef } from "preact/hooks";
import { Dialog } from "../dialog";
import { connection } from "../events";
import { go } from "../hash";
import { Legend } from "../legend";
import { drawAlone } from "../stage/marks";
import { ink } from "../theme";
import { ChooseFile, file } from "./choose-file";
import { choice, doing, read, setRole, setSkip, table, toForm, trainOnFile, trouble } from "./file";
import {
  type Column,
  gapsIn,
  isSeenWhole,
  MOST_CLASSES,
  MOST_COORDINATES,
  type Role,
  type Table,
} from "./table";
import { columnsIn, Trouble } from "./trouble";

const counted = (n: number, one: string, many = `${one}s`) =>
  `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** What a column contains, such as "number, 2 missing". */
function kindOf({ type, missing, distinct }: Column, isAll: boolean): string {
  const kind = type === "text" ? `text, ${isAll ? "" : "at least "}${distinct} different values` : type;
  return missing > 0 && type !== "empty" ? `${kind}, ${missing} missing` : kind;
}

const ROLES: [Role, string, (column: Column) => boolean][] = [
  ["coordinate", "Coordinate", ({ type }) => type === "number"],
  ["label", "Label", ({ type, distinct }) => type !== "empty" && distinct <= MOST_CLASSES],
  ["out", "Leave out", () => true],
];

function Columns({ of }: { of: Table }) {
  const isAll = isSeenWhole(of);
  return (
    <table class="columns">
      <caption class="sr-only">Columns of the file</caption>
      <thead>
        <tr>
          <th scope="col">Column</th>
          <th scope="col">Content</th>
          <th scope="col">Examples</th>
          <th scope="col">Use as</th>
        </tr>
      </thead>
      <tbody>
        {of.columns.map((column, j) => {
          const role = choice.value.roles[j]!;
          return (
            <tr key={j} class={role}>
              <th scope="row">{column.name || <em>no name</em>}</th>
              <td>{kindOf(column, isAll)}</td>
              <td class="examples">{column.examples.join(", ")}</td>
              <td>
                <select
                  aria-label={`Use ${column.name || `column ${j + 1}`} as`}
                  value={role}
                  onChange={(event) => setRole(j, event.currentTarget.value as Role)}
                >
                  {ROLES.filter(([, , fits]) => fits(column)).map(([value, label]) => (
                    <option key={value} value={value}>
                      {label}
                    </option>
                  ))}
                </select>
                {role === "out" && column.why && <small>{column.why}</small>}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

const ROWS = 5;

function Preview({ columns, head }: Table) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: keyboard users must be able to scroll it
    <section class="preview scroll" aria-label="First rows" tabIndex={0}>
      <table>
        <caption>First rows</caption>
        <thead>
          <tr>
            {columns.map((column, j) => (
              <th key={j} scope="col" class={choice.value.roles[j]}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {head.slice(0, ROWS).map((row, i) => (
            <tr key={i}>
              {columns.map((_, j) => (
                <td key={j} class={choice.value.roles[j]}>
                  {row[j] ?? ""}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const SIZE = 160;
const POINTS = 1000;

/** Whether every row has been read. */
const isWhole = ({ isExact, head, count }: Table): boolean => isExact && head.length === count;

/** The classes in the rows that have been read, in the order of their first row. */
function classesIn({ head }: Table): string[] {
  const at = choice.value.roles.indexOf("label");
  return at < 0 ? [] : [...new Set(head.map((row) => row[at] ?? "").filter(Boolean))];
}

/** The first two coordinates as a picture. */
function Picture(props: { of: Table }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const { roles } = choice.value;
  const [x, y] = roles.flatMap((role, j) => (role === "coordinate" ? [j] : []));
  const [dot, colors] = [ink.value.point, ink.value.classes];
  useEffect(() => {
    const { head, number } = props.of;
    if (x === undefined || y === undefined) return;
    const at = roles.indexOf("label");
    const names = classesIn(props.of);
    const places: number[] = [];
    const labels: number[] = [];
    for (const row of head.slice(0, POINTS)) {
      const [a, b] = [number(row[x] ?? ""), number(row[y] ?? "")];
      if (a === null || b === null) continue;
      places.push(Number(a), Number(b));
      labels.push(Math.max(0, names.indexOf(row[at] ?? "")));
    }
    const tint = at < 0 ? { colors: [dot], of: null } : { colors, of: labels };
    if (places.length > 0) drawAlone(ref.current!, Float32Array.from(places), tint, 2, 0.8);
  }, [props.of, roles, x, y, dot]);
  if (x === undefined || y === undefined) return null;
  const [across, up] = [props.of.columns[x]!.name, props.of.columns[y]!.name];
  return (
    <figure>
      <canvas ref={ref} width={SIZE * 2} height={SIZE * 2} role="img" aria-label={`${up} by ${across}`} />
      <figcaption>
        {across} → {up} ↑
      </figcaption>
    </figure>
  );
}

/** Describes what would be trained on, or why training is not possible. */
function verdict(of: Table): { text: string; isRight: boolean } {
  const { roles } = choice.value;
  const coordinates = roles.filter((role) => role === "coordinate").length;
  const at = roles.indexOf("label");
  if (coordinates === 0)
    return { text: "At least one column of numbers must be a coordinate.", isRight: false };
  if (coordinates > MOST_COORDINATES)
    return {
      text: `A point can have at most ${MOST_COORDINATES} coordinates. Leave out ${counted(coordinates - MOST_COORDINATES, "column")}.`,
      isRight: false,
    };
  const label =
    at < 0
      ? ""
      : ` and ${isWhole(of) ? "" : "at least "}${counted(classesIn(of).length, "class", "classes")} from the column ${of.columns[at]!.name || "label"}`;
  return {
    text: `The model will learn points with ${counted(coordinates, "coordinate")}${label}.`,
    isRight: true,
  };
}

function Remedies({ error, of }: { error: Error; of: Table }) {
  const named = columnsIn(error);
  const found = of.columns.flatMap((column, j) =>
    named.includes(column.name) && choice.value.roles[j] !== "out" ? [{ column, j }] : [],
  );
  return (
    <div class="buttons">
      {!choice.value.skip && named.length > 0 && (
        <button type="button" onClick={() => setSkip(true)}>
          Leave out the rows that cannot be read
        </button>
      )}
      {found.slice(0, 3).map(({ column, j }) => (
        <button key={j} type="button" onClick={() => setRole(j, "out")}>
          Leave out {column.name}
        </button>
      ))}
    </div>
  );
}

function Understood({ of }: { of: Table }) {
  const gaps = gapsIn(of, choice.value);
  const said = verdict(of);
  const isReady = said.isRight && doing.value === "";
  return (
    <>
      <p>
        <strong>{file.value?.name}</strong>: {of.kind}, {of.isExact ? "" : "about "}
        {counted(of.count, "row")}, {counted(of.columns.length, "column")}.{" "}
        <ChooseFile>Choose another file</ChooseFile>
      </p>
      <div class="data-file">
        <Columns of={of} />
        <Picture of={of} />
      </div>
      {classesIn(of).length > 0 && <Legend names={classesIn(of)} />}
      <Preview {...of} />
      {(gaps > 0 || choice.value.skip) && (
        <label class="check">
          <input
            type="checkbox"
            checked={choice.value.skip}
            onChange={(event) => setSkip(event.currentTarget.checked)}
          />
          Leave out rows with missing or unreadable values
          {gaps > 0 &&
            ` (${gaps} of ${isWhole(of) ? "" : "the first "}${of.head.length.toLocaleString("en")})`}
        </label>
      )}
      {trouble.value && (
        <div class="error" role="alert">
          <Trouble error={trouble.value} />
          <Remedies error={trouble.value} of={of} />
        </div>
      )}
      <footer>
        <p class={said.isRight ? "plan" : "plan error"}>{doing.value || said.text}</p>
        <button type="button" class="big" disabled={!isReady} onClick={() => void toForm()}>
          More options
        </button>
        <button
          type="button"
          class="primary big"
          disabled={!isReady || connection.value === "lost"}
          onClick={() => void trainOnFile()}
        >
          Train
        </button>
      </footer>
    </>
  );
}

export function DataFile() {
  useEffect(() => {
    if (file.value) read(file.value);
  }, [file.value]);
  return (
    <Dialog title="Train on a file" wide onClose={() => go({ panel: "" })}>
      {table.value ? (
        <Understood of={table.value} />
      ) : (
        <>
          {trouble.value && (
            <div class="error" role="alert">
              {file.value && <strong>{file.value.name}: </strong>}
              <Trouble error={trouble.value} />
            </div>
          )}
          <p class="drop-area">
            Drop a CSV, JSON or NPY file anywhere on this page, or <ChooseFile>browse</ChooseFile>.
          </p>
          <p role="status" class="hint">
            {doing.value}
          </p>
        </>
      )}
    </Dialog>
  );
}
