// Which classes the judge sees in the images of each class.

import { classesOf } from "../data";
import { evaluationOf } from "../evaluations";
import { job } from "../runs";

const MOST = 12; // classes: more have no room beside the stage
const WARMTH = 60; // of 100, where all images of a class are seen as one class

export function Confusion() {
  const run = job.value;
  const counts = (run && evaluationOf(run)?.confusion) || [];
  const names = run ? classesOf(run) : [];
  if (counts.length === 0 || counts.length > MOST) return null;
  const nameOf = (at: number) => names[at] ?? String(at);
  return (
    <table class="confusion">
      <caption>
        Classes
        <small>Each row has the images drawn of a class, by the class that the judge sees in them.</small>
      </caption>
      <thead>
        <tr>
          <td />
          {counts.map((_, seen) => (
            <th key={seen} scope="col" title={nameOf(seen)}>
              {nameOf(seen)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {counts.map((row, drawn) => {
          const all = row.reduce((sum, count) => sum + count, 0);
          return (
            <tr key={drawn}>
              <th scope="row" title={nameOf(drawn)}>
                {nameOf(drawn)}
              </th>
              {row.map((count, seen) => (
                <td
                  key={seen}
                  title={`${count} of ${all} drawn as ${nameOf(drawn)}, seen as ${nameOf(seen)}`}
                  style={{ "--heat": `${Math.round((WARMTH * count) / Math.max(1, all))}%` }}
                >
                  {count > 0 && count}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
