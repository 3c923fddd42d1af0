// The tab of columns: how the values of each are distributed, in the data as bars and from the model as a line.

import { job } from "../runs";
import { shortNumber } from "../stage/scales";
import { excess, percent, reportOf, toneOf } from "./report";
import { allColumns, type Column, columns, data, model } from "./rows";
import { type Bins, binsOf, type Cell, isQuantity, levelsOf, missingShare, numbersIn } from "./values";

const FEW = 12; // a quantity with up to this many values is drawn value by value
const LEVELS = 8; // maximum number of levels on a chart

/** A value of a quantity on a scale. */
export function scaleText(column: Column, value: number): string {
  if (column.type !== "datetime") return shortNumber(value);
  const text = new Date(value * 1000).toISOString();
  if (!/%y/i.test(column.format ?? "")) return text.slice(11, 16); // a time of day
  return text.slice(0, (column.step ?? 0) < 86_400 ? 16 : 10).replace("T", " ");
}

const WIDTH = 240;
const HEIGHT = 72;

function Histogram({ column, bins }: { column: Column; bins: Bins }) {
  const count = bins.data.length;
  const most = Math.max(...bins.data, ...(bins.model ?? []), 1e-9);
  const width = WIDTH / count;
  const y = (share: number) => HEIGHT - (HEIGHT - 2) * (share / most);
  const edge = (i: number) => scaleText(column, bins.low + (i * (bins.high - bins.low)) / count);
  const line = bins.model
    ?.map((share, i) => `${i * width},${y(share)} ${(i + 1) * width},${y(share)}`)
    .join(" ");
  return (
    <>
      <svg class="histogram" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {bins.data.map((share, i) => (
          <rect
            key={i}
            x={i * width + 0.5}
            y={y(share)}
            width={Math.max(0.5, width - 1)}
            height={HEIGHT - y(share)}
          >
            <title>
              {edge(i)} to {edge(i + 1)}: data {percent(share)}
              {bins.model && `, model ${percent(bins.model[i]!)}`}
            </title>
          </rect>
        ))}
        {line && <polyline points={line} />}
      </svg>
      <p class="ends">
        <span>
          {bins.isCutLow && "≤ "}
          {scaleText(column, bins.ends[0])}
        </span>
        <span>
          {bins.isCutHigh && "≥ "}
          {scaleText(column, bins.ends[1])}
        </span>
      </p>
    </>
  );
}

function Levels({ of, beside }: { of: Cell[]; beside: Cell[] | null }) {
  const levels = levelsOf(of, beside, LEVELS);
  const most = Math.max(...levels.flatMap((each) => [each.data, each.model ?? 0]), 1e-9);
  return (
    <table class="levels">
      <thead class="sr-only">
        <tr>
          <th scope="col">value</th>
          <th scope="col">chart</th>
          <th scope="col">data</th>
          <th scope="col">model</th>
        </tr>
      </thead>
      <tbody>
        {levels.map((level, i) => (
          <tr key={i}>
            <th scope="row" title={level.name}>
              {level.name}
            </th>
            <td class="bar">
              <svg viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
                <rect x="0" y="1" width={(98 * level.data) / most} height="10" />
                {level.model !== null && (
                  <path d={`M${1 + (98 * level.model) / most} 0v12`} vector-effect="non-scaling-stroke" />
                )}
              </svg>
            </td>
            <td class="of-data">{percent(level.data)}</td>
            <td class="of-model">{percent(level.model)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Whether a column is drawn value by value rather than in bins. */
const isListed = (column: Column, cells: Cell[]): boolean =>
  !isQuantity(column) || (column.type !== "datetime" && new Set(cells).size <= FEW);

function Chart({ column }: { column: Column }) {
  const of = data.value?.cells.get(column.name) ?? [];
  const drawn = model.value?.cells.get(column.name) ?? null;
  if (of.length === 0 && !drawn) return null;
  if (isListed(column, of.length > 0 ? of : drawn!)) return <Levels of={of} beside={drawn} />;
  const [missing, alsoMissing] = [missingShare(of), drawn && missingShare(drawn)];
  const bins = binsOf(numbersIn(column, of), drawn && numbersIn(column, drawn), column.type === "integer");
  return (
    <>
      <Histogram column={column} bins={bins} />
      {(missing > 0 || (alsoMissing ?? 0) > 0) && (
        <p class="hint">
          Missing: {percent(missing)} of the data
          {alsoMissing !== null && `, ${percent(alsoMissing)} from the model`}
        </p>
      )}
    </>
  );
}

interface Scored {
  column: Column;
  distance: number | null;
  floor: number | null;
}

function Distance({ distance, floor }: Scored) {
  if (distance === null) return null;
  return (
    <p class={`distance ${toneOf(distance, floor)}`}>
      distance {percent(distance)} · floor {percent(floor)}
    </p>
  );
}

/** The columns beside their distances; the farthest above its floor comes first. */
function scored(): Scored[] {
  const report = new Map(reportOf(job.value)?.columns.map((each) => [each.name, each]));
  return columns.value
    .map((column) => {
      const { distance = null, floor = null } = report.get(column.name) ?? {};
      return { column, distance, floor };
    })
    .sort((a, b) => excess(b) - excess(a));
}

export function Columns() {
  const list = scored();
  const isMeasured = list.some((each) => each.distance !== null);
  return (
    <>
      <p class="hint key">
        <span class="key-data">data</span> <span class="key-model">model</span>{" "}
        {isMeasured
          ? "The worst comes first. The floor is the distance of two random halves of the data."
          : "The distance between the two is measured when the training has ended."}
      </p>
      <ul class="charts">
        {list.map((each) => (
          <li key={each.column.name}>
            <h2 title={each.column.name}>
              {each.column.name} <small>{each.column.type}</small>
            </h2>
            <Distance {...each} />
            <Chart column={each.column} />
            {each.column.follows && <p class="hint">Follows from “{each.column.follows}”</p>}
          </li>
        ))}
      </ul>
      <LeftOut />
    </>
  );
}

/** The columns that have nothing to compare. */
function LeftOut() {
  const names = allColumns.value
    .filter((each) => !columns.value.includes(each))
    .map(({ name, type }) => `“${name}” (${type})`);
  return names.length > 0 ? <p class="hint">Not compared: {names.join(", ")}</p> : null;
}
