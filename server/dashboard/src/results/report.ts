// The report on a model as a source of synthetic tables, with what each of its numbers means.
import type { Job } from "../api";
import { evaluationOf, type TableReport } from "../evaluations";

export const reportOf = (run: Job | undefined): TableReport | null =>
  (run && evaluationOf(run)?.table) || null;

export type Tone = "good" | "fair" | "bad";

// A distance, as a multiple of its floor, which is the distance of two halves of the data.
const AT_THE_FLOOR = 1.5;
const FAR = 3;
const SLIGHT = 0.01; // differences up to this are good, however low the floor is

/** How good a distance is beside its floor; undefined if it is not known. */
export function toneOf(value: number | null, floor: number | null): Tone | undefined {
  if (value === null) return undefined;
  const least = Math.max(floor ?? 0, SLIGHT / AT_THE_FLOOR);
  return value <= AT_THE_FLOOR * least ? "good" : value <= FAR * least ? "fair" : "bad";
}

/** A distance in two digits, as a percentage of the worst possible. */
export const percent = (value: number | null): string =>
  value === null ? "–" : `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)}%`;

/** How far a distance is above its floor, to sort by. */
export const excess = ({ distance, floor }: { distance: number | null; floor: number | null }): number =>
  distance === null ? -1 : distance - (floor ?? 0);
