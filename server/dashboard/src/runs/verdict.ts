// The quality of a run, in two or three words.
import type { Job } from "../api";

export interface Verdict {
  text: string;
  tone: "good" | "fair" | "bad";
  doc: string;
}

// The energy distance, as a multiple of its floor, which is the score of two draws of the data.
const AT_THE_FLOOR = 1.5; // two draws of the data differ by about as much
const FAR = 3;
// The coverage, as a share of what real data covers.
const COVERED = 0.85;
const HALF = 0.5;

/** The verdict by the stored metrics: how far the samples are from the data, and how much of the data they cover. */
function measured({ energy_distance: energy, coverage }: NonNullable<Job["evaluation"]>): Verdict | null {
  if (!energy?.floor || !(energy.floor > 0)) return null;
  const times = energy.value / energy.floor;
  const share = coverage?.floor ? coverage.value / coverage.floor : 1;
  const reached = `${Math.round(100 * Math.min(1, share))}%`;
  const covers = coverage?.floor ? ` The samples cover ${reached} of the data.` : "";
  const [score, floor] = [energy.value, energy.floor].map((each) => each.toPrecision(3));
  const doc = `The energy distance is ${score}; the floor, the score of two draws of the data, is ${floor}.${covers}`;
  if (share < COVERED && times <= FAR)
    return { text: `${reached} covered`, tone: share < HALF ? "bad" : "fair", doc };
  if (times <= AT_THE_FLOOR) return { text: "as good as real data", tone: "good", doc };
  const many = times < 10 ? times.toFixed(1) : String(Math.round(times));
  return { text: `${many} × floor`, tone: times <= FAR ? "fair" : "bad", doc };
}

/** The verdict on a run; null if it has not ended, or if nothing is known about its quality. */
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
