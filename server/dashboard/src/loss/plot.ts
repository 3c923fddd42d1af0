// The loss as a chart: which lines, how they look, and the diamonds of the checkpoints.
import uPlot from "uplot";
import { checkpoints, epochs, lookBack, place } from "../checkpoints";
import { listed, view } from "../hash";
import { histories, type Values } from "../histories";
import { job, jobB, jobs, nameOf } from "../runs";
import { ink } from "../theme";

export interface Line {
  label: string;
  colour: string;
  dash: number[];
  epochs: number[];
  values: Values;
}

const EXTRA = ["#009e73", "#cc79a7", "#d98b00", "#3f9fd8"];

/** An exponential mean; `keep` is how much of the past stays. */
function smoothed(values: Values, keep: number): Values {
  if (keep === 0) return values;
  let mean: number | null = null;
  return values.map((value) => {
    if (value === null) return null;
    mean = mean === null ? value : keep * mean + (1 - keep) * value;
    return mean;
  });
}

/** The run on the stage, the one beside it, and the ticked ones. */
export function lines(smooth: number): Line[] {
  const out: Line[] = [];
  const add = (id: string, name: string, colour: string, valColour: string) => {
    const series = histories.value[id];
    if (!series) return;
    const line = (what: string, values: Values, of: string, dash: number[]): Line => ({
      label: `${name} ${what}`.trim(),
      colour: of,
      dash,
      epochs: series.epoch,
      values: smoothed(values, smooth),
    });
    out.push(line("train", series.train_loss, colour, []));
    if (series.val_loss.some((v) => v !== null))
      out.push(line("validation", series.val_loss, valColour, [6, 4]));
  };
  const [a, b] = [job.value, jobB.value];
  if (a) add(a.id, b ? "A" : "", ink.value.point, ink.value.estimate);
  if (b) add(b.id, "B", EXTRA[0]!, EXTRA[0]!);
  listed("with").forEach((id, i) => {
    const run = jobs.value.find((one) => one.id === id);
    const colour = EXTRA[(i + 1) % EXTRA.length]!;
    if (run && id !== a?.id && id !== b?.id) add(id, nameOf(run), colour, colour);
  });
  return out;
}

/** All lines on one axis of epochs, with gaps where a run has no value. */
export function table(list: Line[]): uPlot.AlignedData {
  const epochs = list[0]?.epochs ?? [];
  if (list.every((line) => line.epochs === epochs)) return [epochs, ...list.map((line) => line.values)];
  return uPlot.join(list.map((line) => [line.epochs, line.values] as uPlot.AlignedData));
}

/** A diamond for each checkpoint that can be looked at again. */
function drawDiamonds(plot: uPlot): void {
  const { ctx, bbox } = plot;
  const chosen = place();
  const scale = devicePixelRatio;
  epochs().forEach((epoch, i) => {
    const x = plot.valToPos(epoch, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) return;
    const y = bbox.top + bbox.height;
    const r = scale * (i === chosen ? 7 : 4.5);
    ctx.fillStyle = i === chosen ? ink.value.accent : ink.value.text;
    ctx.beginPath();
    ctx.moveTo(x, y - r);
    ctx.lineTo(x + r, y);
    ctx.lineTo(x, y + r);
    ctx.lineTo(x - r, y);
    ctx.fill();
  });
}

/** A click on the chart shows what the model dreamt at the checkpoint nearest to it. */
function lookAt(plot: uPlot): void {
  const epoch = plot.posToVal(plot.cursor.left ?? -1, "x");
  const list = checkpoints.value[view.value.job] ?? [];
  const distance = (at: number) => Math.abs(list[at]! - epoch);
  if (list.length === 0) return;
  lookBack(list.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0));
}

const short = (v: number): string =>
  v >= 10_000 ? `${+(v / 1000).toPrecision(3)}k` : String(+v.toPrecision(3));

export function options(
  list: Line[],
  size: { width: number; height: number },
  log: boolean,
  onZoom: (zoomed: boolean) => void,
): uPlot.Options {
  const colours = ink.value;
  const font = "11px system-ui, sans-serif";
  const axis = {
    stroke: colours.text,
    font,
    grid: { stroke: colours.grid, width: 1 },
    ticks: { stroke: colours.grid, width: 1, size: 4 },
  };
  const values = (_: uPlot, ticks: (number | null)[]) => ticks.map((v) => (v === null ? "" : short(v)));
  return {
    ...size,
    padding: [8, 20, 0, 0],
    legend: { show: true, live: true },
    cursor: { drag: { x: true, y: false }, points: { size: 6 } },
    scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
    axes: [
      { ...axis, size: 30, gap: 8, values },
      { ...axis, size: 46, values },
    ],
    hooks: {
      draw: [drawDiamonds],
      setSelect: [(plot) => plot.select.width > 0 && onZoom(true)],
      ready: [
        (plot) => {
          plot.over.addEventListener("click", () => lookAt(plot));
          plot.over.addEventListener("dblclick", () => onZoom(false));
        },
      ],
    },
    series: [
      { label: "epoch" },
      ...list.map((line) => ({
        label: line.label,
        stroke: line.colour,
        width: 1.5,
        dash: line.dash,
        spanGaps: true,
        points: { show: false },
        value: (_: uPlot, v: number | null) => (v === null || v === undefined ? "–" : v.toPrecision(4)),
      })),
    ],
  };
}
