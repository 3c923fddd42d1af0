// The tab of pairs: how far each pair of columns is from the data, and the two columns of one pair in detail.
import { useRef } from "preact/hooks";
import { go, view } from "../hash";
import { job } from "../runs";
import { Pair } from "./pair";
import { excess, percent, reportOf, toneOf } from "./report";
import { type Column, columns } from "./rows";

interface Scored {
  distance: number | null;
  floor: number | null;
}

/** The distances of the pairs that the server reports, by the names of both columns in the order of the file. */
function distances(): Map<string, Scored> {
  const at = new Map(columns.value.map(({ name }, place) => [name, place]));
  const keyOf = (a: string, b: string) => ((at.get(a) ?? 0) < (at.get(b) ?? 0) ? [a, b] : [b, a]).join("\n");
  return new Map((reportOf(job.value)?.pairs ?? []).map((each) => [keyOf(each.first, each.second), each]));
}

type Places = [number, number]; // of two columns in the list, the first before the second

/** The pair in the view, or else the worst. */
function selected(known: Map<string, Scored>): Places {
  const list = columns.value;
  const [a = Number.NaN, b = Number.NaN] = view.value.pair ? view.value.pair.split(".").map(Number) : [];
  if (list[a] && list[b] && a < b) return [a, b];
  const [worst] = [...known].sort(([, one], [, other]) => excess(other) - excess(one));
  const places = worst?.[0].split("\n").map((name) => list.findIndex((each) => each.name === name));
  return places?.every((each) => each >= 0) ? (places as Places) : [0, 1];
}

const select = ([a, b]: Places) => go({ pair: `${a}.${b}` });

const FULL = 0.15; // the distance above the floor from which the color is the strongest

const heat = (scored: Scored): number => Math.round(100 * Math.min(1, Math.max(0, excess(scored)) / FULL));

const said = ({ distance, floor }: Scored): string =>
  distance === null ? "not measured" : `distance ${percent(distance)}, floor ${percent(floor)}`;

const MOVES: Record<string, Places> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** The side of a cell in pixels, so that the matrix leaves room for the pair beside it. */
const cellSize = (count: number): number => (count <= 10 ? 24 : count <= 16 ? 19 : count <= 32 ? 14 : 10);

/** The lower triangle of all pairs. The arrow keys move between its cells. */
function Matrix({ list, known, at }: { list: Column[]; known: Map<string, Scored>; at: Places }) {
  const table = useRef<HTMLTableElement>(null);
  const move = (event: KeyboardEvent) => {
    const [down, right] = MOVES[event.key] ?? [0, 0];
    const row = at[1] + down;
    const column = at[0] + right;
    if (!MOVES[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    if (column < 0 || column >= row || row >= list.length) return;
    select([column, row]);
    table.current?.querySelector<HTMLElement>(`[data-at="${column}.${row}"]`)?.focus();
  };
  return (
    <table class="matrix" ref={table} onKeyDown={move} style={{ "--cell": `${cellSize(list.length)}px` }}>
      <caption>
        Pairs <small>The redder, the farther above its floor</small>
      </caption>
      <tbody>
        {list.slice(1).map((second, i) => (
          <tr key={second.name}>
            <th scope="row" title={second.name}>
              {second.name}
            </th>
            {list.slice(0, i + 1).map((first, j) => {
              const scored = known.get(`${first.name}\n${second.name}`) ?? { distance: null, floor: null };
              const name = `${first.name} and ${second.name}: ${said(scored)}`;
              const isOn = at[0] === j && at[1] === i + 1;
              return (
                <td key={first.name}>
                  <button
                    type="button"
                    class={scored.distance === null ? "unknown" : ""}
                    style={{ "--heat": `${heat(scored)}%` }}
                    data-at={`${j}.${i + 1}`}
                    title={name}
                    aria-label={name}
                    aria-pressed={isOn}
                    tabIndex={isOn ? 0 : -1}
                    onClick={() => select([j, i + 1])}
                  />
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <td />
          {list.slice(0, -1).map(({ name }) => (
            <th key={name} scope="col" class="below" title={name}>
              <span>{name}</span>
            </th>
          ))}
        </tr>
      </tfoot>
    </table>
  );
}

/** The two columns as two fields, which do the same as the matrix. */
function Choice({ list, at }: { list: Column[]; at: Places }) {
  const choose = (side: 0 | 1, place: number) => {
    const other = at[1 - side]!;
    if (place !== other) select(place < other ? [place, other] : [other, place]);
  };
  return (
    <div class="pair-choice">
      {([0, 1] as const).map((side) => (
        <select
          key={side}
          aria-label={side === 0 ? "First column" : "Second column"}
          value={String(at[side])}
          onChange={(event) => choose(side, Number(event.currentTarget.value))}
        >
          {list.map(({ name }, place) => (
            <option key={name} value={String(place)} disabled={place === at[1 - side]}>
              {name}
            </option>
          ))}
        </select>
      ))}
    </div>
  );
}

const MANY = 20; // with more columns, there is no room beside the matrix, so that the pair stands above it

export function Pairs() {
  const list = columns.value;
  if (list.length < 2) return <p class="empty">A single column has no pairs.</p>;
  const known = distances();
  const at = selected(known);
  const [first, second] = [list[at[0]]!, list[at[1]]!];
  const scored = known.get(`${first.name}\n${second.name}`);
  const matrix = <Matrix key="matrix" list={list} known={known} at={at} />;
  const pair = (
    <section key="pair" aria-label={`${first.name} and ${second.name}`}>
      <Choice list={list} at={at} />
      {scored && <p class={`distance ${toneOf(scored.distance, scored.floor)}`}>{said(scored)}</p>}
      <Pair first={first} second={second} />
    </section>
  );
  return <div class="pairs">{list.length > MANY ? [pair, matrix] : [matrix, pair]}</div>;
}
