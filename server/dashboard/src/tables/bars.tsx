// The histogram of a column, as small as a line of text.
import type { components } from "contract";
import { colorOf } from "../theme";
import { levelsOf } from "./words";

type Column = components["schemas"]["DatasetColumn"];

const MOST = 24; // bars; the rarest levels are left out
const GAP = 0.12; // of a bar's width

/** Bars from the smallest value to the largest, or of levels, the most frequent first; in the colors of the classes if these
 * are in `classes`. A text beside it should tell the same. */
export function Bars({ column, classes }: { column: Column; classes?: string[] | null }) {
  if (!column.histogram) return null;
  const isOfLevels = column.levels !== null;
  const bars: [string, number][] = isOfLevels
    ? levelsOf(column).slice(0, MOST)
    : column.histogram.counts.map((count) => ["", count]);
  const most = Math.max(1, ...bars.map(([, count]) => count));
  const width = Math.max(bars.length, 4);
  return (
    <svg class="bars" viewBox={`0 0 ${width} 1`} preserveAspectRatio="none" aria-hidden="true">
      {bars.map(([name, count], i) => {
        const height = count > 0 ? Math.max(count / most, 0.04) : 0;
        const at = classes?.indexOf(name) ?? -1;
        return (
          <rect
            key={i}
            x={i + GAP / 2}
            y={1 - height}
            width={1 - GAP}
            height={height}
            {...(at >= 0 ? { fill: colorOf(at) } : {})}
          >
            {name && <title>{`${name}: ${count.toLocaleString("en")}`}</title>}
          </rect>
        );
      })}
    </svg>
  );
}
