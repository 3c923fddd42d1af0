// The loss: training and validation of the run on the stage, and of the ones it is compared with, live.
import { signal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { checkpoints, epochs, loadCheckpoints, lookBack, place } from "../checkpoints";
import { listed, view } from "../hash";
import { histories, loadHistory, type Series, unread } from "../histories";
import { hasModel, isOver, job } from "../runs";
import { ink } from "../theme";
import { lines, options, table } from "./plot";

const logScale = signal(true);
const smooth = signal(0); // 0..0.98: how much of the past stays

const LEGEND = 24;
const sizeOf = (box: HTMLElement) => ({
  width: box.clientWidth,
  height: Math.max(90, box.clientHeight - LEGEND),
});

/** The chart, made anew when its lines change, and fed when only its numbers do. */
function Chart() {
  const ref = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = useRef("");
  const zoomed = useRef(false); // the reader has chosen a range by dragging; a double click gives it up

  useSignalEffect(() => {
    const list = lines(smooth.value);
    const box = ref.current;
    if (!box) return;
    const wanted = JSON.stringify([list.map((l) => [l.label, l.colour]), logScale.value, ink.value.dark]);
    if (plot.current && wanted === shape.current) {
      plot.current.setData(table(list), !zoomed.current);
      if (zoomed.current) plot.current.redraw();
      return;
    }
    shape.current = wanted;
    zoomed.current = false;
    plot.current?.destroy();
    const onZoom = (on: boolean) => {
      zoomed.current = on;
    };
    plot.current =
      list.length > 0
        ? new uPlot(options(list, sizeOf(box), logScale.value, onZoom), table(list), box)
        : null;
  });
  useSignalEffect(() => {
    void [checkpoints.value, view.value.epoch];
    plot.current?.redraw(false);
  });
  useEffect(() => {
    const box = ref.current!;
    const observer = new ResizeObserver(() => plot.current?.setSize(sizeOf(box)));
    observer.observe(box);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, []);
  return <div ref={ref} class="loss-plot" aria-hidden="true" />;
}

function emptyText(): string {
  const run = job.value;
  if (!run) return "";
  if (unread.value[run.id]) return `The loss cannot be read now. ${unread.value[run.id]}`;
  if (run.progress.epoch > 0) return "Reading the loss …";
  return isOver(run)
    ? "This run ended before its first epoch was over."
    : "The loss comes with the first epoch.";
}

export function Loss() {
  useSignalEffect(() => {
    for (const id of [view.value.job, view.value.b, ...listed("with")])
      if (id && !histories.value[id]) void loadHistory(id);
  });
  useSignalEffect(() => {
    const run = job.value;
    if (run && hasModel(run) && !checkpoints.peek()[run.id]) void loadCheckpoints(run.id);
  });
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
            class="short"
            min="0"
            max="0.98"
            step="0.02"
            value={smooth.value}
            onInput={(event) => (smooth.value = Number(event.currentTarget.value))}
          />
        </label>
        <TrainingTime />
      </header>
      {!series && <p class="empty">{emptyText()}</p>}
      <Chart />
      {series && <LossTable series={series} />}
    </section>
  );
}

/** The second time axis: back through the training. */
function TrainingTime() {
  const list = epochs();
  if (list.length < 2) return null;
  const at = place();
  return (
    <label class="training-time" title="keys [ and ]">
      <span>
        ◆ <span class="wide-only">what the model dreamt at </span>epoch <output>{list[at]}</output>
      </span>
      <input
        type="range"
        min="0"
        max={list.length - 1}
        value={at}
        aria-label="training time"
        aria-valuetext={`epoch ${list[at]}`}
        onInput={(event) => lookBack(Number(event.currentTarget.value))}
      />
    </label>
  );
}

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
