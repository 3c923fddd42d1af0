// The stage: one canvas on which points dissolve and form, and on which the user can drag a noise point.
import { useRef } from "preact/hooks";
import type { Job } from "../api";
import { dataPoints } from "../data";
import { view } from "../hash";
import { position } from "../player";
import { hasModel, job, nameOf, waitsForKernels } from "../runs";
import { ink } from "../theme";
import { isTable } from "./axes";
import { useCanvas } from "./canvas";
import { held, hold, landing, landingError, release } from "./landing";
import { StageLegend } from "./legend";
import { fromX, fromY, type Plane } from "./marks";
import { repaint } from "./scene";
import { shown, shownB, stageError, stale } from "./subject";
import { isPiledUp } from "./trajectory";

/** The place under the pointer in data units, if it is on the first picture; two pictures share the width. */
function placeOf(event: PointerEvent, planes: Plane[]): [number, number] | undefined {
  const [plane] = planes;
  const canvas = event.currentTarget as HTMLCanvasElement;
  const box = canvas.getBoundingClientRect();
  const x = ((event.clientX - box.left) * canvas.width) / box.width;
  const y = ((event.clientY - box.top) * canvas.height) / box.height;
  if (!plane || (planes.length > 1 && x > canvas.width / 2)) return undefined;
  return [fromX(plane, x), fromY(plane, y)];
}

const canHold = (): boolean =>
  hasModel(job.value) && view.value.process === "" && shown.value?.dim === 2 && !stale.value;

/** Why there is no model yet, and what the stage shows meanwhile. */
export function waiting(run: Job, meanwhile: string, what: string): string {
  if (run.status === "queued") {
    if (waitsForKernels(run)) return "In the queue until a server with the right CPU and version starts.";
    const place = run.queue_position ? `${run.queue_position} ahead` : "next to run";
    return `In the queue, ${place}. Showing ${meanwhile} meanwhile.`;
  }
  if (run.status === "running") return `Training has begun. The first ${what} appear after the first epoch.`;
  return "No checkpoint was saved. Showing the training data.";
}

function note(): string {
  if (stageError.value || landingError.value) return stageError.value || landingError.value;
  if (!job.value) return "";
  if (stale.value) return "Drawing …";
  return hasModel(job.value) || view.value.process ? "" : waiting(job.value, "the forward process", "points");
}

/** Explains what is visible, and what the user can do. */
function hint(): string {
  const t = shown.value;
  if (!t || !job.value) return "";
  if (held.value) return landing.value;
  const hints = [
    view.value.process === "forward" ? "The data turning into noise" : "",
    view.value.process === "optimal" ? "Each noise point moves straight to its nearest data point" : "",
    t.dim === 1 ? "Histogram of the points; the line is the data" : "",
    t.dim > 2 ? `2 of ${t.dim} columns are drawn` : "",
    !view.value.process && view.value.clip && t.evaluations !== null && isPiledUp(t)
      ? "Many points lie at the edge of the data because Clip x₀ holds them there"
      : "",
    canHold() ? "Drag to see where a noise point ends up" : "",
  ];
  return hints.filter(Boolean).join(" · ");
}

function label(): string {
  const t = shown.value;
  if (!t) return "No picture yet";
  const what = job.value ? nameOf(job.value) : "a data set";
  const how = t.home === 0 ? "dissolving into noise" : `drawn from noise in ${t.timesteps.length - 1} frames`;
  return `${t.n} points of ${what}, ${how}`;
}

/** The titles and scales around the points determine where there is room for the legend and the hint. */
function frameClass(): string {
  const isTitled = shownB.value !== null || view.value.mode === "both";
  const classes = [
    "stage-canvas",
    isTable(job.value, shown.value?.dim ?? 2) ? "stage-table" : "",
    isTitled ? "stage-titled" : "",
  ];
  return classes.filter(Boolean).join(" ");
}

export function Stage() {
  const planes = useRef<Plane[]>([]);
  const ref = useCanvas((canvas) => {
    void [position.value, shown.value, shownB.value, view.value, ink.value, held.value, dataPoints.value];
    planes.current = repaint(canvas); // this also reads the signal of the column names
  });
  const drag = (event: PointerEvent) => {
    const place = canHold() ? placeOf(event, planes.current) : undefined;
    if (place) void hold(place);
  };
  const said = note();
  const error = Boolean(stageError.value || landingError.value);
  return (
    <div class={frameClass()}>
      <canvas
        ref={ref}
        class={[canHold() ? "holds" : "", stale.value ? "stale" : ""].filter(Boolean).join(" ")}
        role="img"
        aria-label={label()}
        onPointerDown={(event) => {
          (event.currentTarget as HTMLCanvasElement).setPointerCapture(event.pointerId);
          drag(event);
        }}
        onPointerMove={(event) => {
          if (event.buttons > 0) drag(event);
        }}
      />
      {said && (
        <p class={`stage-note${error ? " error" : ""}`} role={error ? "alert" : "status"}>
          {said}
        </p>
      )}
      <StageLegend />
      {!said && (
        <p class="stage-hint">
          <span role="status">{hint()}</span>
          {held.value && (
            <button type="button" onClick={release}>
              Clear the path
            </button>
          )}
        </p>
      )}
    </div>
  );
}
