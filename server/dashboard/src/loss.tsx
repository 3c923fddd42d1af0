// The loss: training and validation of the run on the stage, and of the ones it is compared with, live.
import { signal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { view } from "./hash";
import { histories, job, jobB, jobs, loadHistory, nameOf, type Series } from "./runs";
import { dream, dreams } from "./stage";
import { ink } from "./theme";

export const overlaid = signal<string[]>([]); // further runs that are ticked in the table
const logScale = signal(true);
const smooth = signal(0); // 0..0.98: how much of the past stays

let zoomed = false; // the reader has chosen a range by dragging; a double click gives it up

type Values = (number | null)[];

function smoothed(values: Values, keep: number): Values {
  if (keep === 0) return values;
  let mean: number | null = null;
  return values.map((value) => {
    if (value === null) return null;
    mean = mean === null ? value : keep * mean + (1 - keep) * value;
    return mean;
  });
}

interface Line {
  label: string;
  colour: string;
  dash: number[];
  epochs: number[];
  values: Values;
}

const EXTRA = ["#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

function lines(): Line[] {
  const out: Line[] = [];
  const add = (id: string, name: string, colour: string, valColour: string) => {
    const series: Series | undefined = histories.value[id];
    if (!series) return;
    out.push({
      label: `${name} train`,
      colour,
      dash: [],
      epochs: series.epoch,
      values: smoothed(series.train_loss, smooth.value),
    });
    if (series.val_loss.some((v) => v !== null))
      out.push({
        label: `${name} validation`,
        colour: valColour,
        dash: [6, 4],
        epochs: series.epoch,
        values: smoothed(series.val_loss, smooth.value),
      });
  };
  const a = job.value;
  if (a) add(a.id, jobB.value ? "A" : "", ink.value.point, ink.value.estimate);
  if (jobB.value) add(jobB.value.id, "B", EXTRA[0]!, EXTRA[0]!);
  overlaid.value.forEach((id, i) => {
    const each = jobs.value.find((one) => one.id === id);
    if (each && id !== a?.id && id !== jobB.value?.id)
      add(id, nameOf(each), EXTRA[(i + 1) % EXTRA.length]!, EXTRA[(i + 1) % EXTRA.length]!);
  });
  return out;
}

/** A diamond for each checkpoint that can be looked at again. */
function drawDiamonds(plot: uPlot): void {
  const { ctx, bbox } = plot;
  for (const each of dreams.value[view.value.job] ?? []) {
    const x = plot.valToPos(each.epoch, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const y = bbox.top + bbox.height - 8;
    const r = each === dream.value ? 6 : 3.5;
    ctx.fillStyle = each === dream.value ? ink.value.accent : ink.value.text;
    ctx.beginPath();
    ctx.moveTo(x, y - r);
    ctx.lineTo(x + r, y);
    ctx.lineTo(x, y + r);
    ctx.lineTo(x - r, y);
    ctx.fill();
  }
}

/** A click on the chart shows what the model dreamt at the checkpoint nearest to it. */
function lookAt(plot: uPlot): void {
  const epoch = plot.posToVal(plot.cursor.left ?? -1, "x");
  const list = dreams.value[view.value.job] ?? [];
  const nearest = list.reduce<(typeof list)[number] | null>(
    (best, each) => (!best || Math.abs(each.epoch - epoch) < Math.abs(best.epoch - epoch) ? each : best),
    null,
  );
  dream.value = nearest === list.at(-1) ? null : nearest;
}

/** All lines on one axis of epochs, with gaps where a run has no value. */
function table(list: Line[]): uPlot.AlignedData {
  return list.length === 0
    ? [[]]
    : uPlot.join(list.map((line) => [line.epochs, line.values] as uPlot.AlignedData));
}

function options(list: Line[], width: number, height: number): uPlot.Options {
  const colours = ink.value;
  const axis = {
    stroke: colours.text,
    grid: { stroke: colours.grid, width: 1 },
    ticks: { stroke: colours.grid, width: 1 },
  };
  return {
    width,
    height,
    legend: { show: true, live: true },
    cursor: { drag: { x: true, y: false }, points: { size: 6 } },
    scales: { x: { time: false }, y: logScale.value ? { distr: 3 } : {} },
    axes: [
      { ...axis, label: "epoch", labelSize: 18, labelFont: "12px system-ui", size: 34 },
      {
        ...axis,
        size: 62,
        values: (_, ticks) => ticks.map((v) => (v === null ? "" : String(+v.toPrecision(3)))),
      },
    ],
    hooks: {
      draw: [drawDiamonds],
      setSelect: [(plot) => (zoomed ||= plot.select.width > 0)],
      ready: [
        (plot) => {
          plot.over.addEventListener("click", () => lookAt(plot));
          plot.over.addEventListener("dblclick", () => (zoomed = false));
        },
      ],
    },
    series: [
      { label: "epoch" },
      ...list.map((line) => ({
        label: line.label.trim(),
        stroke: line.colour,
        width: 1.5,
        dash: line.dash,
        spanGaps: true,
        value: (_: uPlot, v: number | null) => (v === null || v === undefined ? "–" : v.toPrecision(4)),
      })),
    ],
  };
}

export function Loss() {
  const ref = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = useRef("");

  useSignalEffect(() => {
    for (const id of [view.value.job, view.value.b, ...overlaid.value])
      if (id && !histories.value[id]) void loadHistory(id);
  });
  useSignalEffect(() => {
    void [dreams.value, dream.value];
    plot.current?.redraw(false);
  });
  useSignalEffect(() => {
    const list = lines();
    const box = ref.current;
    if (!box) return;
    const wanted = JSON.stringify([list.map((l) => [l.label, l.colour]), logScale.value, ink.value.dark]);
    if (plot.current && wanted === shape.current) {
      // New numbers only: a zoom that the reader has chosen stays.
      plot.current.setData(table(list), !zoomed);
      if (zoomed) plot.current.redraw();
      return;
    }
    shape.current = wanted;
    zoomed = false;
    plot.current?.destroy();
    plot.current = null;
    if (list.length > 0)
      plot.current = new uPlot(options(list, box.clientWidth, height(box)), table(list), box);
  });
  useEffect(() => {
    const box = ref.current!;
    const observer = new ResizeObserver(() =>
      plot.current?.setSize({ width: box.clientWidth, height: height(box) }),
    );
    observer.observe(box);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);

  const series = histories.value[view.value.job];
  return (
    <section class="loss" aria-labelledby="loss-title">
      <header>
        <h2 id="loss-title">Loss</h2>
        <button
          type="button"
          aria-pressed={logScale.value}
          onClick={() => (logScale.value = !logScale.value)}
        >
          log
        </button>
        <label>
          smooth
          <input
            type="range"
            min="0"
            max="0.98"
            step="0.02"
            value={smooth.value}
            onInput={(event) => (smooth.value = Number(event.currentTarget.value))}
          />
        </label>
        <TrainingTime />
      </header>
      <div ref={ref} class="loss-plot" aria-hidden="true" />
      {!series && <p class="empty">No epochs yet.</p>}
      {series && <LossTable series={series} />}
    </section>
  );
}

/** The second time axis: back through the training. */
function TrainingTime() {
  const list = dreams.value[view.value.job] ?? [];
  if (list.length < 2) return null;
  const at = dream.value ? list.indexOf(dream.value) : list.length - 1;
  return (
    <label>
      training time
      <input
        type="range"
        min="0"
        max={list.length - 1}
        value={at}
        aria-valuetext={`epoch ${list[at]?.epoch}`}
        onInput={(event) => {
          const index = Number(event.currentTarget.value);
          dream.value = index === list.length - 1 ? null : (list[index] ?? null);
        }}
      />
      <output>epoch {list[at]?.epoch}</output>
    </label>
  );
}

const LEGEND = 26;
const height = (box: HTMLElement) => Math.max(90, box.clientHeight - LEGEND);

/** The curve for those who do not see it: at most a dozen rows. */
function LossTable({ series }: { series: Series }) {
  const every = Math.max(1, Math.ceil(series.epoch.length / 12));
  const rows = series.epoch.map((_, i) => i).filter((i) => i % every === 0 || i === series.epoch.length - 1);
  return (
    <table class="sr-only">
      <caption>Loss by epoch</caption>
      <thead>
        <tr>
          <th scope="col">epoch</th>
          <th scope="col">training</th>
          <th scope="col">validation</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((i) => (
          <tr key={series.epoch[i]}>
            <td>{series.epoch[i]}</td>
            <td>{series.train_loss[i]?.toPrecision(4) ?? "none"}</td>
            <td>{series.val_loss[i]?.toPrecision(4) ?? "none"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
