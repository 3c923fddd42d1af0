// Two columns together, in the data and from the model: points, bars for each level, or shares of pairs of levels.
import { scaleText } from "./columns";
import { type Column, data, model, type Sheet } from "./rows";
import { type Cell, isQuantity, levelNames, numberOf, quantile } from "./values";

const POINTS = 1000; // maximum number of points on a picture
const SIZE = 200;

interface Range {
  low: number;
  high: number;
}

/** The range of a quantity, without the outermost hundredth at each end. */
function rangeOf(column: Column, cells: Cell[]): Range {
  const sorted = cells
    .map((cell) => numberOf(column, cell))
    .filter((value) => !Number.isNaN(value))
    .sort((a, b) => a - b);
  const [from, to] = [quantile(sorted, 0.005), quantile(sorted, 0.995)];
  const [low, high] = to > from ? [from, to] : [sorted[0] ?? 0, sorted.at(-1) ?? 1];
  const margin = 0.04 * (high - low) || 0.5;
  return { low: low - margin, high: high + margin };
}

interface Two {
  first: Column;
  second: Column;
}

const cellsOf = (sheet: Sheet, { name }: Column): Cell[] => sheet.cells.get(name) ?? [];

/** The points as a path of dots: a dot is a line without length and with round ends. */
function dots({ first, second }: Two, sheet: Sheet, x: Range, y: Range): string {
  const [a, b] = [cellsOf(sheet, first), cellsOf(sheet, second)];
  let path = "";
  for (let i = 0; i < Math.min(POINTS, sheet.n); i++) {
    const across = (numberOf(first, a[i]) - x.low) / (x.high - x.low);
    const up = (numberOf(second, b[i]) - y.low) / (y.high - y.low);
    const isInside = across >= 0 && across <= 1 && up >= 0 && up <= 1; // false if one is missing
    if (isInside) path += `M${(SIZE * across).toFixed(1)} ${(SIZE * (1 - up)).toFixed(1)}h0`;
  }
  return path;
}

function Points({ two, sheets }: { two: Two; sheets: [string, Sheet][] }) {
  const basis = data.value ?? model.value!;
  const [x, y] = [two.first, two.second].map((each) => rangeOf(each, cellsOf(basis, each)));
  return (
    <div class="beside">
      {sheets.map(([name, sheet]) => (
        <figure key={name}>
          <svg
            viewBox={`0 0 ${SIZE} ${SIZE}`}
            class={`points of-${name}`}
            role="img"
            aria-label={`Points of the ${name}`}
          >
            <path d={dots(two, sheet, x!, y!)} />
          </svg>
          <p class="ends">
            <span>{scaleText(two.first, x!.low)}</span>
            <span>→ {two.first.name}</span>
            <span>{scaleText(two.first, x!.high)}</span>
          </p>
          <figcaption>
            <span class={`key-${name}`}>{name}</span>
            <small>
              ↑ {two.second.name}: {scaleText(two.second, y!.low)} to {scaleText(two.second, y!.high)}
            </small>
          </figcaption>
        </figure>
      ))}
    </div>
  );
}

const LEVELS = 7; // maximum number of levels on a picture

interface Box {
  low: number; // a quarter of the values is below
  middle: number;
  high: number; // a quarter is above
}

function boxOf(values: number[]): Box | null {
  const sorted = values.slice().sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  return { low: quantile(sorted, 0.25), middle: quantile(sorted, 0.5), high: quantile(sorted, 0.75) };
}

/** The middle half of a quantity for each level of the other column. */
function Bars({ level, quantity, sheets }: { level: Column; quantity: Column; sheets: [string, Sheet][] }) {
  const basis = data.value ?? model.value!;
  const range = rangeOf(quantity, cellsOf(basis, quantity));
  const place = (value: number) =>
    100 * Math.min(1, Math.max(0, (value - range.low) / (range.high - range.low)));
  const box = (sheet: Sheet, name: string | null): Box | null => {
    const of = cellsOf(sheet, level);
    const values = cellsOf(sheet, quantity).filter(
      (_, i) => (of[i] === null ? null : String(of[i])) === name,
    );
    return boxOf(values.map((cell) => numberOf(quantity, cell)).filter((value) => !Number.isNaN(value)));
  };
  return (
    <table class="boxes">
      <caption>
        {sheets.map(([which]) => (
          <span key={which} class={`key-${which}`}>
            {which}
          </span>
        ))}
        <small>
          The middle half of “{quantity.name}” for each value of “{level.name}”, with its median
        </small>
      </caption>
      <tbody>
        {levelNames(cellsOf(basis, level), LEVELS).map((name) => (
          <tr key={name}>
            <th scope="row" title={name ?? "missing"}>
              {name ?? "missing"}
            </th>
            <td>
              {sheets.map(([which, sheet]) => {
                const found = box(sheet, name);
                return (
                  <svg
                    key={which}
                    viewBox="0 0 100 10"
                    preserveAspectRatio="none"
                    class={`of-${which}`}
                    role="img"
                    aria-label={
                      found
                        ? `${which}: ${scaleText(quantity, found.low)} to ${scaleText(quantity, found.high)}, median ${scaleText(quantity, found.middle)}`
                        : `${which}: no values`
                    }
                  >
                    {found && (
                      <>
                        <rect
                          x={place(found.low)}
                          y="1"
                          width={Math.max(0.6, place(found.high) - place(found.low))}
                          height="8"
                        />
                        <path d={`M${place(found.middle)} 0v10`} vector-effect="non-scaling-stroke" />
                      </>
                    )}
                  </svg>
                );
              })}
            </td>
          </tr>
        ))}
        <tr>
          <td />
          <td>
            <p class="ends">
              <span>{scaleText(quantity, range.low)}</span>
              <span>{scaleText(quantity, range.high)}</span>
            </p>
          </td>
        </tr>
      </tbody>
    </table>
  );
}

const keyOf = (cell: Cell | undefined): string | null =>
  cell === null || cell === undefined ? null : String(cell);

/** A share as a whole percentage, which fits into a narrow cell. */
const whole = (share: number): string => (share > 0 && share < 0.005 ? "<1" : (100 * share).toFixed(0));

/** The share of the rows that have each pair of levels. */
function Shares({ two, sheets }: { two: Two; sheets: [string, Sheet][] }) {
  const basis = data.value ?? model.value!;
  const across = levelNames(cellsOf(basis, two.second), LEVELS);
  const down = levelNames(cellsOf(basis, two.first), LEVELS);
  const counted = sheets.map(([, sheet]) => {
    const counts = new Map<string, number>();
    const [a, b] = [cellsOf(sheet, two.first), cellsOf(sheet, two.second)];
    for (let i = 0; i < sheet.n; i++) {
      const key = JSON.stringify([keyOf(a[i]), keyOf(b[i])]);
      counts.set(key, (counts.get(key) ?? 0) + 1 / sheet.n);
    }
    return counts;
  });
  const most = Math.max(...counted.flatMap((counts) => [...counts.values()]), 1e-9);
  return (
    <div class="beside">
      {sheets.map(([name], which) => (
        <table key={name} class={`shares of-${name}`}>
          <caption>
            <span class={`key-${name}`}>{name}</span> <small>percent of the rows</small>
          </caption>
          <thead>
            <tr>
              <td />
              {across.map((level) => (
                <th key={level} scope="col" title={level ?? "missing"}>
                  {level ?? "missing"}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {down.map((row) => (
              <tr key={row}>
                <th scope="row" title={row ?? "missing"}>
                  {row ?? "missing"}
                </th>
                {across.map((level) => {
                  const share = counted[which]!.get(JSON.stringify([row, level])) ?? 0;
                  return (
                    <td key={level} style={{ "--heat": `${Math.round((70 * share) / most)}%` }}>
                      {whole(share)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </div>
  );
}

export function Pair(two: Two) {
  const { first, second } = two;
  const sheets: [string, Sheet][] = [];
  if (data.value) sheets.push(["data", data.value]);
  if (model.value) sheets.push(["model", model.value]);
  if (sheets.length === 0) return null;
  const [a, b] = [isQuantity(first), isQuantity(second)];
  if (a && b) return <Points two={two} sheets={sheets} />;
  if (a || b) return <Bars level={a ? second : first} quantity={a ? first : second} sheets={sheets} />;
  return <Shares two={two} sheets={sheets} />;
}
