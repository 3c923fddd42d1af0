// The stage: points that dissolve and form, on one canvas, which also takes hold of a point of noise.
import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Job } from "../api";
import { dataPoints } from "../data";
import { view } from "../hash";
import { position } from "../player";
import { hasModel, job, nameOf } from "../runs";
import { ink } from "../theme";
import { held, hold, landingError } from "./landing";
import { fromX, fromY, type Plane } from "./marks";
import { repaint } from "./scene";
import { shown, shownB, stageError } from "./subject";

/** The place under the pointer in data units, if it is on the first picture of a plane model. */
function placeOf(event: PointerEvent, plane: Plane | undefined): [number, number] | undefined {
  const canvas = event.currentTarget as HTMLCanvasElement;
  const box = canvas.getBoundingClientRect();
  const x = ((event.clientX - box.left) * canvas.width) / box.width;
  const y = ((event.clientY - box.top) * canvas.height) / box.height;
  if (!plane || (shownB.value && x > canvas.width / 2)) return undefined;
  return [fromX(plane, x), fromY(plane, y)];
}

const canHold = (): boolean => hasModel(job.value) && view.value.process === "" && shown.value?.dim === 2;

function waiting(run: Job): string {
  if (run.status === "queued")
    return `In the queue${run.queue_position ? `, ${run.queue_position} ahead` : ", next to run"}: its data dissolve meanwhile`;
  if (run.status === "running") return "Training has begun; the first points come with the first epoch";
  return "This run ended before it had made a model: here are its data";
}

function note(): string {
  if (stageError.value || landingError.value) return stageError.value || landingError.value;
  if (!job.value) return "";
  if (!hasModel(job.value)) return waiting(job.value);
  return shown.value ? "" : "Drawing …";
}

function hint(): string {
  if (!shown.value || !job.value) return "";
  if (view.value.process === "forward") return "the data on their way to noise";
  if (view.value.process === "optimal") return "noise on the shortest way to the data";
  return canHold() ? "drag: where does a point of noise land?" : "";
}

function label(): string {
  const t = shown.value;
  if (!t) return "no picture yet";
  const what = job.value ? nameOf(job.value) : "a data set";
  const how = t.home === 0 ? "dissolving into noise" : `drawn from noise in ${t.timesteps.length - 1} frames`;
  return `${t.n} points of ${what}, ${how}`;
}

export function Stage() {
  const ref = useRef<HTMLCanvasElement>(null);
  const planes = useRef<Plane[]>([]);
  useSignalEffect(() => {
    void [position.value, shown.value, shownB.value, view.value, ink.value, held.value, dataPoints.value];
    if (ref.current) planes.current = repaint(ref.current);
  });
  useEffect(() => {
    const canvas = ref.current!;
    const observer = new ResizeObserver(() => {
      canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
      canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
      planes.current = repaint(canvas);
    });
    observer.observe(canvas);
    return () => observer.disconnect();
  }, []);
  const drag = (event: PointerEvent) => {
    const place = canHold() ? placeOf(event, planes.current[0]) : undefined;
    if (place) void hold(place);
  };
  const said = note();
  const error = Boolean(stageError.value || landingError.value);
  return (
    <div class="stage-canvas">
      <canvas
        ref={ref}
        class={canHold() ? "holds" : ""}
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
      {!held.value && !said && <p class="stage-hint">{hint()}</p>}
      {held.value && (
        <button type="button" class="stage-clear" onClick={() => (held.value = null)}>
          clear the path
        </button>
      )}
    </div>
  );
}
