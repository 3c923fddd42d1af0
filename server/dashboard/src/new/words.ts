// Names and limits of the API, in words for the form.
import type { Schema } from "../description";

const SHORT: Record<string, string> = { ema: "EMA", lr: "LR", snr: "SNR" };
const OWN: Record<string, string> = { "dataset.n": "Points", "dataset.seed": "Data seed" };

/** Turns "training.lr_warmup_steps" into "LR warmup steps". */
export function labelOf(path: string): string {
  if (OWN[path]) return OWN[path];
  const words = path
    .split(".")
    .at(-1)!
    .split("_")
    .map((word) => SHORT[word] ?? word);
  const text = words.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const LARGEST_SAID = 1e9; // larger limits are those of the number format, and are left out

const number = (value: number): string =>
  Math.abs(value) >= 1e-4 || value === 0
    ? value.toLocaleString("en", { maximumFractionDigits: 8 })
    : String(value);

/** The limits in words: "1 to 4,000", "above 0", "0 or more"; "" if there are none. */
export function limitsOf({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Schema): string {
  const high = maximum ?? exclusiveMaximum;
  const isSaid = high !== undefined && high <= LARGEST_SAID;
  const below = maximum === undefined ? "below " : "";
  const low = minimum ?? exclusiveMinimum;
  if (low === undefined) return isSaid ? (below ? `below ${number(high)}` : `at most ${number(high)}`) : "";
  const above = minimum === undefined ? "above " : "";
  if (isSaid) return `${above}${number(low)} to ${below}${number(high)}`;
  return above ? `above ${number(low)}` : `${number(low)} or more`;
}

/** The text below a field: its description and its limits. */
export function helpOf(field: Schema): string {
  const limits = limitsOf(field);
  return [field.description, limits && `${limits.charAt(0).toUpperCase()}${limits.slice(1)}.`]
    .filter(Boolean)
    .join(" ");
}
