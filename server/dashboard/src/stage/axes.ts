// The two columns of the data that are drawn, and their names.
import { signal } from "@preact/signals";
import { getJson, type Job, url } from "../api";
import { sourcesOf } from "../data";
import { go, view } from "../hash";
import { job } from "../runs";

/** Two columns, counted from 0; the same one twice for a single column. */
export type Axes = [number, number];

interface Column {
  name: string;
  coordinate: number | null;
  levels: string[] | null;
}
const columns = signal<Record<string, Column[]>>({}); // of the coordinates, by data set
const asked = new Set<string>();

/** Loads the columns of a run; a deleted data set has none. */
export function loadColumns(run: Job): void {
  const id = sourcesOf(run)[0]?.id;
  if (!id || asked.has(id)) return;
  asked.add(id);
  getJson<{ columns: Column[] }>(url(`/v1/datasets/${id}`)).then(
    (set) => {
      const ofPoint: Column[] = [];
      for (const each of set.columns) if (each.coordinate !== null) ofPoint[each.coordinate] = each;
      columns.value = { ...columns.value, [id]: ofPoint };
    },
    () => undefined,
  );
}

const columnsOf = (run: Job | undefined): Column[] | undefined =>
  columns.value[(run && sourcesOf(run)[0]?.id) ?? ""];

export const columnName = (run: Job | undefined, at: number): string =>
  columnsOf(run)?.[at]?.name ?? `column ${at + 1}`;

/** Whether the columns are separate quantities, rather than the x and y of a drawing. */
export function isTable(run: Job | undefined, dim: number): boolean {
  const names = columnsOf(run)?.map(({ name }) => name);
  return dim !== 2 || (names !== undefined && names.join() !== "x,y");
}

/** The columns that are drawn unless others are selected: numbers, if there are two. */
function usualAxes(dim: number): Axes {
  const isNumber = (at: number) => columnsOf(job.value)?.[at]?.levels === null;
  const all = Array.from({ length: dim }, (_, at) => at);
  const [x, y] = [...all.filter(isNumber), ...all.filter((at) => !isNumber(at))];
  return [x!, y!];
}

/** The columns that the view has selected, or the usual ones if the selection does not fit the data. */
export function axesOf(dim: number): Axes {
  if (dim === 1) return [0, 0];
  if (dim === 2) return [0, 1]; // a selection in the view belongs to another run
  const [x = Number.NaN, y = Number.NaN] = view.value.axes.split(".").map(Number);
  const isColumn = (at: number) => Number.isInteger(at) && at >= 0 && at < dim;
  return view.value.axes && isColumn(x) && isColumn(y) && x !== y ? [x, y] : usualAxes(dim);
}

/** Puts column `at` on one axis. If it was on the other axis, the two are swapped. */
export function setAxis(dim: number, side: 0 | 1, at: number): void {
  const axes = axesOf(dim);
  const other = axes[1 - side]!;
  axes[(1 - side) as 0 | 1] = other === at ? axes[side] : other;
  axes[side] = at;
  const text = axes.join(".");
  go({ axes: text === usualAxes(dim).join(".") ? "" : text });
}
