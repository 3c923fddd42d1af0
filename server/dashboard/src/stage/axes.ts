// Which two columns of the data are drawn, and what they are called.
import { signal } from "@preact/signals";
import { getJson, type Job, url } from "../api";
import { sourcesOf } from "../data";
import { go, view } from "../hash";

/** Two columns, counted from 0; the same one twice for a single column. */
export type Axes = [number, number];

const names = signal<Record<string, string[]>>({}); // by data set
const asked = new Set<string>();

/** Asks for the names of a run's columns; a data set that is gone has none. */
export function loadColumns(run: Job): void {
  const id = sourcesOf(run)[0]?.id;
  if (!id || asked.has(id)) return;
  asked.add(id);
  getJson<{ columns: string[] }>(url(`/v1/datasets/${id}`)).then(
    ({ columns }) => {
      names.value = { ...names.value, [id]: columns };
    },
    () => undefined,
  );
}

const columnsOf = (run: Job | undefined): string[] | undefined =>
  names.value[(run && sourcesOf(run)[0]?.id) ?? ""];

export const columnName = (run: Job | undefined, at: number): string =>
  columnsOf(run)?.[at] ?? `column ${at + 1}`;

/** Whether the columns are quantities of their own, and not the sides of a drawing. */
export function isTable(run: Job | undefined, dim: number): boolean {
  const columns = columnsOf(run);
  return dim !== 2 || (columns !== undefined && columns.join() !== "x,y");
}

/** What the view has chosen of so many columns; the first two if that cannot be, or there are no others. */
export function axesOf(dim: number): Axes {
  if (dim === 1) return [0, 0];
  if (dim === 2) return [0, 1]; // the choice is of another run
  const [x = Number.NaN, y = Number.NaN] = view.value.axes.split(".").map(Number);
  const isColumn = (at: number) => Number.isInteger(at) && at >= 0 && at < dim;
  return view.value.axes && isColumn(x) && isColumn(y) && x !== y ? [x, y] : [0, 1];
}

/** Draws column `at` along one side; the column that was there takes the place of it. */
export function setAxis(dim: number, side: 0 | 1, at: number): void {
  const axes = axesOf(dim);
  const other = axes[1 - side]!;
  axes[(1 - side) as 0 | 1] = other === at ? axes[side] : other;
  axes[side] = at;
  const text = axes.join(".");
  go({ axes: text === "0.1" ? "" : text });
}
