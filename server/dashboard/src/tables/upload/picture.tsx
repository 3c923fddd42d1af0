// Two columns of the file as a picture; the user chooses which.
import { useEffect, useRef, useState } from "preact/hooks";
import { drawAlone } from "../../stage/marks";
import { ink } from "../../theme";
import { timeOf } from "../dates";
import { type Column, type Preview, preview } from "./upload";

const SIZE = 200;
const SPREAD = 0.5; // of the distance of two levels: where the rows of a level lie

/** The place of a cell along an axis; NaN if it is missing, or cannot be drawn. */
function placeOf(column: Column, cell: string | number | null | undefined, row: number): number {
  if (cell === null || cell === undefined) return Number.NaN;
  if (column.levels) {
    const level = column.levels.indexOf(String(cell));
    const within = ((row * 0.618) % 1) - 0.5; // so that equal cells are not one point
    return level < 0 ? Number.NaN : level + SPREAD * within;
  }
  return typeof cell === "number" ? cell : timeOf(column.format ?? "", cell);
}

/** The columns that can be drawn, by their place in the table. */
function drawable({ columns, rows }: Preview): number[] {
  return columns.flatMap((column, j) =>
    column.type !== "id" &&
    column.distinct > 1 &&
    rows.some((row, i) => !Number.isNaN(placeOf(column, row[j], i)))
      ? [j]
      : [],
  );
}

/** Numbers first: they make a cloud of points. */
function firstPair({ columns }: Preview, all: number[]): [number, number] {
  const isNumber = (j: number) => columns[j]!.levels === null;
  const [x, y] = [...all.filter(isNumber), ...all.filter((j) => !isNumber(j))];
  return [x!, y!];
}

/** Both columns over their whole ranges, because their units differ. */
function spread(places: number[]): Float32Array {
  const side = (of: number) => places.filter((_, i) => i % 2 === of);
  const low = [Math.min(...side(0)), Math.min(...side(1))];
  const high = [Math.max(...side(0)), Math.max(...side(1))];
  return Float32Array.from(places, (value, i) => {
    const range = high[i % 2]! - low[i % 2]!;
    return range > 0 ? (value - low[i % 2]!) / range : 0.5;
  });
}

function draw(canvas: HTMLCanvasElement, of: Preview, [x, y]: [number, number]): void {
  const { columns, rows, classes } = of;
  const at = columns.findIndex(({ name }) => name === of.label);
  const places: number[] = [];
  const labels: number[] = [];
  rows.forEach((row, i) => {
    const [a, b] = [placeOf(columns[x]!, row[x], i), placeOf(columns[y]!, row[y], i + 0.5)];
    if (Number.isNaN(a) || Number.isNaN(b)) return;
    places.push(a, b);
    labels.push(Math.max(0, classes?.indexOf(String(row[at])) ?? 0));
  });
  const tint = at < 0 ? { colors: [ink.value.point], of: null } : { colors: ink.value.classes, of: labels };
  const points = spread(places);
  if (points.length > 0) drawAlone(canvas, points, tint, 2.5, 0.8);
  else canvas.getContext("2d")!.clearRect(0, 0, canvas.width, canvas.height);
}

export function Picture() {
  const ref = useRef<HTMLCanvasElement>(null);
  const [chosen, choose] = useState<[number, number] | null>(null);
  const of = preview.value!;
  const all = drawable(of);
  const isThere = chosen?.every((j) => all.includes(j));
  const axes = isThere ? chosen! : firstPair(of, all);
  const ground = ink.value;
  useEffect(() => {
    if (ref.current) draw(ref.current, of, axes);
  }, [of, ground, ...axes]);
  if (all.length < 2) return null;
  const set = (side: 0 | 1, j: number) => {
    const other = axes[1 - side]!;
    const kept = other === j ? axes[side] : other; // the same column for both: they are swapped
    choose(side === 0 ? [j, kept] : [kept, j]);
  };
  const name = (j: number) => of.columns[j]!.name;
  return (
    <figure>
      <canvas
        ref={ref}
        width={SIZE * 2}
        height={SIZE * 2}
        role="img"
        aria-label={`${name(axes[1])} by ${name(axes[0])}`}
      />
      <figcaption>
        {([0, 1] as const).map((side) => (
          <label key={side}>
            <span aria-hidden="true">{side === 0 ? "→" : "↑"}</span>
            <select
              aria-label={side === 0 ? "Column along the horizontal axis" : "Column along the vertical axis"}
              value={String(axes[side])}
              onChange={(event) => set(side, Number(event.currentTarget.value))}
            >
              {all.map((j) => (
                <option key={j} value={String(j)}>
                  {name(j)}
                </option>
              ))}
            </select>
          </label>
        ))}
      </figcaption>
    </figure>
  );
}
