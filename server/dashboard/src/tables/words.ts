// Columns in words.
import type { components } from "contract";

type Column = components["schemas"]["DatasetColumn"];

export const counted = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** A share of 0..1: "44%", "2.9%", "under 0.1%". */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return "under 0.1%";
  const digits = share < 0.1 || (share > 0.99 && share < 1) ? 1 : 0;
  return `${+(100 * share).toFixed(digits)}%`;
}

export const TYPES: Record<Column["type"], string> = {
  numeric: "Number",
  integer: "Integer",
  boolean: "Boolean",
  categorical: "Category",
  datetime: "Date or time",
  id: "ID, not trained on",
  constant: "Constant",
};

const LEVELS = 3;

/** The levels of a column with their counts, the most frequent first. */
export function levelsOf({ levels, histogram }: Column): [string, number][] {
  const all = (levels ?? []).map((level, i): [string, number] => [level, histogram?.counts[i] ?? 0]);
  return all.sort(([x, a], [y, b]) => b - a || x.localeCompare(y, "en", { numeric: true }));
}

/** What the values of a column are: a range, the most frequent levels, or examples. */
export function valuesOf(column: Column): string {
  const { min, max, examples, distinct } = column;
  const all = levelsOf(column);
  if (all.length > 1) {
    const total = all.reduce((sum, [, count]) => sum + count, 0);
    const shown = all.slice(0, LEVELS).map(([level, count]) => `${level} ${percent(count / total)}`);
    const more = all.length - LEVELS;
    return more > 0 ? `${shown.join(", ")}, and ${more} more` : shown.join(", ");
  }
  if (min !== null && max !== null && min !== max) {
    const text = (bound: number | string) =>
      typeof bound === "number" ? bound.toLocaleString("en", { maximumSignificantDigits: 6 }) : bound;
    return `${text(min)} to ${text(max)}`;
  }
  return distinct > examples.length ? `${examples.join(", ")} …` : examples.join(", ");
}
