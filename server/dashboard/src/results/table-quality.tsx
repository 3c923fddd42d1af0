// The report on a model of a table in four sentences, each with its number beside the floor.
import { Fragment } from "preact";
import type { TableReport } from "../evaluations";
import { job } from "../runs";
import { percent, reportOf, type Tone, toneOf } from "./report";

interface Line {
  name: string;
  value: number | null;
  floor: number | null;
  tone: Tone | undefined;
  text: string;
}

const GUESS = 0.5; // the area under the curve of a classifier that guesses, and the ideal share of nearer rows

/** How good a share is whose ideal is one half: good up to 0.55 or a little above its floor. */
function toneOfHalf(
  value: number | null,
  floor: number | null,
  good: number,
  fair: number,
): Tone | undefined {
  if (value === null) return undefined;
  const above = value - Math.max(GUESS, floor ?? GUESS);
  return above <= good ? "good" : above <= fair ? "fair" : "bad";
}

/** How far something is from the data, in words: beside two halves of the data, whose distance is the floor. */
function comparison(value: number | null, floor: number | null, tone: Tone | undefined): string {
  if (value === null) return "could not be compared";
  if (tone === "good") return "are as close to the data as its own halves to each other";
  const times = floor ? value / floor : Number.POSITIVE_INFINITY;
  return times < 100
    ? `are ${times.toFixed(1)} times as far from the data as its own halves from each other`
    : "are far from the data";
}

function linesOf({ shape, trend, detection, privacy }: TableReport): Line[] {
  const distance = (name: string, { value, floor }: TableReport["shape"], what: string): Line => {
    const tone = toneOf(value, floor);
    return { name, value, floor, tone, text: `${what} ${comparison(value, floor, tone)}.` };
  };
  const { nearer_to_training: nearer, copies } = privacy;
  return [
    distance("Shape", shape, "Single columns"),
    distance("Trend", trend, "Pairs of columns"),
    {
      ...{ name: "Detection", value: detection.value, floor: detection.floor },
      tone: toneOfHalf(detection.value, detection.floor, 0.08, 0.2),
      text: "How often a classifier picks the drawn row when it is shown one beside a real row. Guessing gives 50%.",
    },
    {
      ...{ name: "Privacy", value: nearer.value, floor: nearer.floor },
      tone: toneOfHalf(nearer.value, nearer.floor, 0.05, 0.1),
      text:
        nearer.value === null
          ? "No rows were held out to compare with."
          : "The share of drawn rows that are nearer to a training row than to a held-out row. 50% is ideal.",
    },
    {
      ...{ name: "Copies", value: copies.value, floor: copies.floor },
      tone: toneOf(copies.value, copies.floor),
      text: "The share of drawn rows that equal a training row. The floor is that of held-out rows.",
    },
  ];
}

export function TableQuality() {
  const report = reportOf(job.value);
  if (!report) return null;
  return (
    <table class="quality table-quality">
      <caption>
        Quality{" "}
        <small>{report.n.toLocaleString("en")} drawn rows beside the data. The floor is real data.</small>
      </caption>
      <thead>
        <tr>
          <th scope="col">measure</th>
          <th scope="col">model</th>
          <th scope="col">floor</th>
        </tr>
      </thead>
      <tbody>
        {linesOf(report).map(({ name, value, floor, tone, text }) => (
          <Fragment key={name}>
            <tr>
              <th scope="row">{name}</th>
              <td class={`distance ${tone ?? ""}`}>{percent(value)}</td>
              <td>{percent(floor)}</td>
            </tr>
            <tr class="said">
              <td colSpan={3}>{text}</td>
            </tr>
          </Fragment>
        ))}
      </tbody>
    </table>
  );
}
