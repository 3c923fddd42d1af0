// The training and validation loss of the run on the stage and of those that it is compared with, updated live.
import { signal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { checkpoints, epochs, loadCheckpoints, lookBack, place } from "../checkpoints";
import { listed, view } from "../hash";
import { histories, loadHistory, type Series, unread } from "../histories";
import { hasModel, isImported, isOver, job, jobs } from "../runs";
import { ink } from "../theme";
import { lines, options, table } from "./plot";

const logScale = signal(true);
const smooth = signal(0); // 0..0.98: the weight of the past in the moving average

const FOLDED = "denoised.loss-folded";
/** Whether the chart is hidden except for its header, which leaves more room for the stage. */
export const folded = signal(localStorage.getItem(FOLDED) === "1");

function fold(): void {
  folded.value = !folded.value;
  localStorage.setItem(FOLDED, folded.value ? "1" : "0");
}

const LEAST_HEIGHT = 70;

/** The size of the chart: the box without the legend. */
const sizeOf = (box: HTMLElement) => ({
  width: box.clientWidth,
  height: Math.max(
    LEAST_HEIGHT,
    box.clientHeight - (box.querySelector<HTMLElement>(".u-legend")?.offsetHeight ?? 0),
  ),
});

const zoomed = signal(false); // the user has selected a range by dragging

/** The chart. It is created again when its lines change, and only updated when their values do. */
function Chart() {
  const ref = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = useRef("");

  const fit = () => {
    if (ref.current) plot.current?.setSize(sizeOf(ref.current)); // the height of the legend may have changed
  };
  useSignalEffect(() => {
    const list = lines(smooth.value);
    const box = ref.current;
    if (!box) return;
    const wanted = JSON.stringify([list.map((l) => [l.label, l.color]), logScale.value, ink.value.dark]);
    if (plot.current && wanted === shape.current) {
      plot.current.setData(table(list), !zoomed.peek());
      if (zoomed.peek()) plot.current.redraw();
      return;
    }
    shape.current = wanted;
    zoomed.value = false;
    plot.current?.destroy();
    const onZoom = (on: boolean) => {
      zoomed.value = on;
    };
    plot.current =
      list.length > 0
        ? new uPlot(options(list, sizeOf(box), logScale.value, onZoom), table(list), box)
        : null;
    fit();
  });
  useSignalEffect(() => {
    if (zoomed.value || !plot.current) return;
    plot.current.setData(plot.current.data, true); // shows the whole range again
  });
  useSignalEffect(() => {
    void [checkpoints.value, view.value.epoch];
    plot.current?.redraw(false);
  });
  useEffect(() => {
    const box = ref.current!;
    const observer = new ResizeObserver(fit);
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
  if (isImported(run)) return "An imported model has no loss history.";
  if (unread.value[run.id]) return `The loss history cannot be loaded. ${unread.value[run.id]}`;
  if (run.progress.epoch > 0) return "Loading the loss …";
  return isOver(run)
    ? "This run ended before its first epoch was complete."
    : "The loss appears after the first epoch.";
}

export function Loss() {
  useSignalEffect(() => {
    const named = new Set([view.value.job, view.value.b, ...listed("with")]);
    for (const run of jobs.value)
      if (named.has(run.id) && !isImported(run) && !histories.value[run.id]) void loadHistory(run.id);
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
          Log
        </button>
        <label>
          Smooth
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
        {zoomed.value && (
          <button type="button" title="Or double-click the chart" onClick={() => (zoomed.value = false)}>
            Reset zoom
          </button>
        )}
        <TrainingTime />
        <button
          type="button"
          class="fold"
          aria-expanded={!folded.value}
          title="Collapse the chart"
          onClick={fold}
        >
          {folded.value ? "Show" : "Hide"}
        </button>
      </header>
      {!series && !folded.value && <p class="empty">{emptyText()}</p>}
      {!folded.value && <Chart />}
      {series && <LossTable series={series} />}
    </section>
  );
}

/** The second time axis: it selects a checkpoint. */
function TrainingTime() {
  const list = epochs();
  if (list.length < 2) return null;
  const at = place();
  return (
    <label class="training-time" title="Keys [ and ]">
      <span>
        ◆ <span class="wide-only">Checkpoint: </span>epoch <output>{list[at]}</output>
      </span>
      <input
        type="range"
        min="0"
        max={list.length - 1}
        value={at}
        aria-label="Training time"
        aria-valuetext={`epoch ${list[at]}`}
        onInput={(event) => lookBack(Number(event.currentTarget.value))}
      />
    </label>
  );
}

/** The curve as a table for screen readers, of about a dozen rows. */
function LossTable({ series }: { series: Series }) {
  const every = Math.max(1, Math.ceil(series.epoch.length / 12));
  const rows = series.epoch.map((_, i) => i).filter((i) => i % every === 0 || i === series.epoch.length - 1);
  return (
    <div class="sr-only">
      <table>
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
    </div>
  );
}
