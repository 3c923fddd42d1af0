// How good a run has become, in two or three words.
import type { Job } from "../api";

export interface Verdict {
  text: string;
  tone: "good" | "fair" | "bad";
  doc: string;
}

const AT_THE_FLOOR = 1.5; // two draws of the data differ by about as much
const FAR = 3;
const COVERED = 0.85; // of what data itself covers
const HALF = 0.5;

/** From the stored figures: how far the points are from the data, and how much of the data they reach. */
function measured({ energy_distance: energy, coverage }: NonNullable<Job["evaluation"]>): Verdict | null {
  if (!energy?.floor || !(energy.floor > 0)) return null;
  const times = energy.value / energy.floor;
  const share = coverage?.floor ? coverage.value / coverage.floor : 1;
  const reached = `${Math.round(100 * Math.min(1, share))}%`;
  const covers = coverage?.floor ? `; ${reached} of the data is covered` : "";
  const doc = `Energy distance ${energy.value.toPrecision(3)}, two draws of the data ${energy.floor.toPrecision(3)}${covers}.`;
  if (share < COVERED && times <= FAR)
    return { text: `${reached} covered`, tone: share < HALF ? "bad" : "fair", doc };
  if (times <= AT_THE_FLOOR) return { text: "at the floor", tone: "good", doc };
  const many = times < 10 ? times.toFixed(1) : String(Math.round(times));
  return { text: `${many} × floor`, tone: times <= FAR ? "fair" : "bad", doc };
}

/** Null: nothing is known but that it has ended, or it has not. */
export function verdictOf(run: Job): Verdict | null {
  const warning = (code: string) => run.warnings.find((each) => each.code === code)?.detail;
  if (run.error?.code === "diverged") return { text: "diverged", tone: "bad", doc: run.error.detail };
  if (run.status !== "succeeded" && run.status !== "cancelled") return null;
  const diverging = warning("diverging");
  if (diverging) return { text: "diverging", tone: "bad", doc: diverging };
  const unlearned = warning("not_learned");
  if (unlearned) return { text: "not learned", tone: "bad", doc: unlearned };
  return run.evaluation ? measured(run.evaluation) : null;
}
