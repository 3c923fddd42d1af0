// The values of a column, and how they are distributed in the data and in the model's rows. This module knows nothing of the page.
import { timeOf } from "../tables/dates";

export type Cell = string | number | boolean | null;

/** What this module must know of a column. */
export interface Described {
  type: string; // as in the API
  format: string | null; // of dates
}

export const isQuantity = ({ type }: Described): boolean => ["numeric", "integer", "datetime"].includes(type);

/** A cell as a number, a date in seconds since 1970; NaN if it is missing, or no number. */
export function numberOf(column: Described, cell: Cell | undefined): number {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string") return Number.NaN;
  return column.type === "datetime" && column.format ? timeOf(column.format, cell) / 1000 : Number.NaN;
}

/** The values of the cells that have one. */
export const numbersIn = (column: Described, cells: Cell[]): number[] =>
  cells.map((cell) => numberOf(column, cell)).filter((value) => !Number.isNaN(value));

const share = (count: number, of: number): number => (of > 0 ? count / of : 0);
export const missingShare = (cells: Cell[]): number =>
  share(cells.filter((cell) => cell === null).length, cells.length);

/** The value below which a share `part` of sorted values lies. */
export const quantile = (sorted: number[], part: number): number =>
  sorted[Math.round(part * (sorted.length - 1))] ?? Number.NaN;

export interface Bins {
  low: number;
  high: number;
  ends: [number, number]; // the smallest and the largest value within the bins
  isCutLow: boolean; // the first bin also has all values below it
  isCutHigh: boolean; // the last bin also has all values above it
  data: number[]; // the share of the values in each bin
  model: number[] | null;
}

const BINS = 24;
const TAIL = 0.005; // the share of the values at each end that may be drawn in the outermost bin
const LONG = 2; // a tail is cut if that makes the range shorter by at least this factor

/** The bins of a quantity. They cover the data except for long tails, whose values are in the bins at the ends. */
export function binsOf(data: number[], model: number[] | null, isWhole: boolean): Bins {
  const sorted = (data.length > 0 ? data : (model ?? [])).slice().sort((a, b) => a - b);
  const [least, most] = [sorted[0] ?? 0, sorted.at(-1) ?? 1];
  const [from, to] = [quantile(sorted, TAIL), quantile(sorted, 1 - TAIL)];
  const isLong = to > from && most - least >= LONG * (to - from);
  let [low, high] = isLong ? [from, to] : [least, most];
  const ends: Bins["ends"] = [low, high];
  let count = BINS;
  if (isWhole) {
    // each bin has the same number of whole numbers
    const width = Math.max(1, Math.ceil((high - low + 1) / BINS));
    count = Math.max(1, Math.ceil((high - low + 1) / width));
    low -= 0.5;
    high = low + count * width;
  } else if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const shares = (values: number[]): number[] => {
    const counts = new Array<number>(count).fill(0);
    for (const value of values) {
      const at = Math.floor((count * (value - low)) / (high - low));
      counts[Math.min(count - 1, Math.max(0, at))]! += 1;
    }
    return counts.map((each) => share(each, values.length));
  };
  return {
    ...{ low, high, ends, isCutLow: least < ends[0], isCutHigh: most > ends[1] },
    ...{ data: shares(data), model: model && shares(model) },
  };
}

/** The most frequent texts of a column, the most frequent first; null for missing cells if there are any. */
export function levelNames(cells: Cell[], most: number): (string | null)[] {
  const counts = countsOf(cells);
  const named = [...counts.keys()].filter((name) => name !== null);
  named.sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1));
  return [...named.slice(0, most), ...(counts.has(null) ? [null] : [])];
}

/** How many cells have each text, and how many are missing. */
function countsOf(cells: Cell[]): Map<string | null, number> {
  const counts = new Map<string | null, number>();
  for (const cell of cells) {
    const name = cell === null ? null : String(cell);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

export interface Level {
  name: string;
  data: number; // the share of the rows
  model: number | null;
}

/** A level that stands for missing cells, and one for those that are not listed. */
export const MISSING = "missing";

/** The shares of the most frequent texts, of missing cells, and of the others together. */
export function levelsOf(data: Cell[], model: Cell[] | null, most: number): Level[] {
  const [inData, inModel] = [countsOf(data), model && countsOf(model)];
  const names = [...new Set([...inData.keys(), ...(inModel?.keys() ?? [])])];
  const named = names
    .filter((name) => name !== null)
    .sort((a, b) => (inData.get(b) ?? 0) - (inData.get(a) ?? 0) || (a < b ? -1 : 1));
  const level = (name: string, which: (string | null)[]): Level => {
    const sum = (counts: Map<string | null, number>) =>
      which.reduce((total, each) => total + (counts.get(each) ?? 0), 0);
    return {
      name,
      data: share(sum(inData), data.length),
      model: model && inModel && share(sum(inModel), model.length),
    };
  };
  const shown = named.length > most ? named.slice(0, most - 1) : named;
  const rest = named.slice(shown.length);
  return [
    ...shown.map((name) => level(name, [name])),
    ...(rest.length > 0 ? [level(`${rest.length} others`, rest)] : []),
    ...(names.includes(null) ? [level(MISSING, [null])] : []),
  ];
}
