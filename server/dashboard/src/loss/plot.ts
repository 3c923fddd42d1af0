// The chart of the loss: its lines, their style, and diamonds for the checkpoints.
import uPlot from "uplot";
import { checkpoints, epochs, lookBack, place } from "../checkpoints";
import { listed, view } from "../hash";
import { histories, type Values } from "../histories";
import { job, jobB, jobs, nameOf } from "../runs";
import { roundNumbers, shortNumber } from "../stage/scales";
import { ink } from "../theme";

/** The value in the legend while the pointer is not on the chart: the last one. */
function lastOf(values: Values): string {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return values[i]!.toPrecision(4);
  return "";
}

export interface Line {
  label: string;
  color: string;
  dash: number[];
  epochs: number[];
  values: Values;
}

const EXTRA = ["#009e73", "#cc79a7", "#d98b00", "#3f9fd8"];

/** An exponential moving average; `keep` is the weight of the past. */
function smoothed(values: Values, keep: number): Values {
  if (keep === 0) return values;
  let mean: number | null = null;
  return values.map((value) => {
    if (value === null) return null;
    mean = mean === null ? value : keep * mean + (1 - keep) * value;
    return mean;
  });
}

/** The lines of the run on the stage, of the run compared with it, and of the selected runs. */
export function lines(smooth: number): Line[] {
  const out: Line[] = [];
  const add = (id: string, name: string, color: string) => {
    const series = histories.value[id];
    if (!series) return;
    const line = (what: string, values: Values, of: string, dash: number[]): Line => ({
      label: `${name} ${what}`.trim(),
      color: of,
      dash,
      epochs: series.epoch,
      values: smoothed(values, smooth),
    });
    out.push(line("train", series.train_loss, color, []));
    if (series.val_loss.some((v) => v !== null)) out.push(line("validation", series.val_loss, color, [6, 4]));
  };
  const [a, b] = [job.value, jobB.value];
  const more = listed("with").length > 0;
  if (a) add(a.id, b ? `A ${nameOf(a)}` : more ? nameOf(a) : "", ink.value.point);
  if (b) add(b.id, `B ${nameOf(b)}`, EXTRA[0]!);
  listed("with").forEach((id, i) => {
    const run = jobs.value.find((one) => one.id === id);
    const color = EXTRA[(i + 1) % EXTRA.length]!;
    if (run && id !== a?.id && id !== b?.id) add(id, nameOf(run), color);
  });
  return out;
}

/** All lines on one axis of epochs, with gaps where a run has no value. */
export function table(list: Line[]): uPlot.AlignedData {
  const epochs = list[0]?.epochs ?? [];
  if (list.every((line) => line.epochs === epochs)) return [epochs, ...list.map((line) => line.values)];
  return uPlot.join(list.map((line) => [line.epochs, line.values] as uPlot.AlignedData));
}

/** Draws a diamond for each checkpoint. */
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

/** A click on the chart shows the checkpoint nearest to it. */
function lookAt(plot: uPlot): void {
  const epoch = plot.posToVal(plot.cursor.left ?? -1, "x");
  const list = checkpoints.value[view.value.job] ?? [];
  const distance = (at: number) => Math.abs(list[at]! - epoch);
  if (list.length === 0) return;
  lookBack(list.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0));
}

const MARGIN = 0.05; // share of the axis that is left free above and below the losses
const MOST_DECADES = 1.5; // up to here, each decade has numbers at 1, 2 and 5; beyond, only at the powers of ten

/** The axis of losses fits the losses, on either scale. */
function rangeOf(low: number | null, high: number | null, log: boolean): [number, number] {
  if (low === null || high === null || (log && low <= 0)) return log ? [0.1, 1] : [0, 1];
  const [from, to] = log ? [Math.log(low), Math.log(high)] : [low, high];
  const margin = MARGIN * (to - from || 1);
  return log ? [Math.exp(from - margin), Math.exp(to + margin)] : [from - margin, to + margin];
}

/** About `count` round numbers on a logarithmic axis. */
function logNumbers(low: number, high: number, count: number): number[] {
  const decades = Math.log10(high / low);
  if (decades < 0.5) return roundNumbers(low, high, count);
  const steps = decades < MOST_DECADES ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / count));
  const out: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    if (steps.length > 1 || power % every === 0)
      for (const step of steps)
        if (step * 10 ** power >= low && step * 10 ** power <= high) out.push(step * 10 ** power);
  return out;
}

const MOST_NUMBERS = 16;
const SHORT = 130; // height in pixels below which the lower axis has no name; the legend also contains it
const ROOM = 26; // height in pixels for each number on the axis

function axesOf(log: boolean, isShort: boolean): uPlot.Axis[] {
  const { text, grid } = ink.value;
  const font = "11px system-ui, sans-serif";
  const axis = {
    stroke: text,
    font,
    labelSize: 14,
    labelFont: font,
    labelGap: 0,
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid, width: 1, size: 4 },
    values: (_: uPlot, ticks: (number | null)[]) => ticks.map((v) => (v === null ? "" : shortNumber(v))),
  };
  const splits = (plot: uPlot, _: number, low: number, high: number) => {
    const numbers = log ? logNumbers : roundNumbers;
    let count = Math.max(2, plot.bbox.height / devicePixelRatio / ROOM);
    let out = numbers(low, high, count);
    for (; out.length < 2 && count < MOST_NUMBERS; count *= 2) out = numbers(low, high, count); // too few were round
    return out;
  };
  return [
    { ...axis, ...(isShort ? {} : { label: "epoch" }), size: 26, gap: 6 },
    { ...axis, label: "loss", size: 46, splits, filter: (_, all) => all },
  ];
}

export function options(
  list: Line[],
  size: { width: number; height: number },
  log: boolean,
  onZoom: (zoomed: boolean) => void,
): uPlot.Options {
  return {
    ...size,
    padding: [8, 20, 0, 0],
    legend: {
      show: true,
      live: true,
      markers: { dash: (_, at) => (list[at - 1]?.dash.length ? "dashed" : "solid") },
    },
    cursor: { drag: { x: true, y: false }, points: { size: 6 } },
    scales: {
      x: { time: false },
      y: { distr: log ? 3 : 1, range: (_, low, high) => rangeOf(low, high, log) },
    },
    axes: axesOf(log, size.height < SHORT),
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
      { label: "epoch", value: (_: uPlot, v: number | null) => (v === null ? "" : String(v)) },
      ...list.map((line) => ({
        label: line.label,
        stroke: line.color,
        width: 1.5,
        dash: line.dash,
        spanGaps: true,
        points: { show: false },
        value: (_: uPlot, v: number | null) => v?.toPrecision(4) ?? lastOf(line.values),
      })),
    ],
  };
}
