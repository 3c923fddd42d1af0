// The stage of a run of images: a sheet of samples that forms on the time track, the steps side by side, or the checkpoints.
import type { Job } from "../api";
import { view } from "../hash";
import { position } from "../player";
import { hasModel, job, jobB, nameOf } from "../runs";
import { useCanvas } from "../stage/canvas";
import { waiting } from "../stage/stage";
import { shown, shownB, stageError, stale } from "../stage/subject";
import { Track } from "../stage/track";
import { isMoving, tab } from "../tabs";
import { ink } from "../theme";
import { made } from "./made";
import { Neighbors, Spots } from "./neighbors";
import { drawPictures, isDataWanted, pictures } from "./pictures";
import { type Box, drawSheet, type Sheet } from "./sheet";
import { checkpointsSheet, samplesSheet, stepsSheet } from "./sheets";
import { setSpots, spotsOf } from "./spots";
import { ImageTools } from "./tools";

const MARGIN = 12;
const ESTIMATE = "x₀, the model's estimate of the data";

/** A sheet, and the run that it is of. */
type Sheets = [Sheet, Job][];

function movingSheets(): Sheets {
  const [run, other] = [job.value, jobB.value];
  const [a, b] = [shown.value, shownB.value];
  if (!run || !a) return [];
  const mode = a.home === 0 ? "x" : view.value.mode; // the estimates of the forward process are the data
  const which = mode === "x0" ? "x0" : "x";
  const sheet = tab.value === "steps" ? stepsSheet : samplesSheet;
  if (b && other)
    return [
      [sheet(a, run, which, position.value, `A  ${nameOf(run)}`), run],
      [sheet(b, other, which, position.value, `B  ${nameOf(other)}`), other],
    ];
  if (mode === "both")
    return [
      [sheet(a, run, "x", position.value, "x, the images"), run],
      [sheet(a, run, "x0", position.value, ESTIMATE), run],
    ];
  return [[sheet(a, run, which, position.value, ""), run]];
}

function sheets(): Sheets {
  if (isMoving.value) return movingSheets();
  const run = job.value;
  return run && made.value.value ? [[checkpointsSheet(made.value.value, run), run]] : [];
}

/** Sheets share the width; film strips, which are wide, the height. */
function boxes(canvas: HTMLCanvasElement, count: number): Box[] {
  const margin = MARGIN * devicePixelRatio;
  const isBelow = tab.value === "steps";
  const [across, down] = isBelow ? [1, count] : [count, 1];
  const [width, height] = [canvas.width / across, canvas.height / down];
  return Array.from({ length: count }, (_, i) => ({
    left: (isBelow ? 0 : i * width) + margin,
    top: (isBelow ? i * height : 0) + margin,
    width: width - 2 * margin,
    height: height - 2 * margin,
  }));
}

function paint(canvas: HTMLCanvasElement): void {
  const context = canvas.getContext("2d")!;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (isDataWanted()) {
    setSpots([]);
    if (pictures.value.value) drawPictures(context, boxes(canvas, 1)[0]!, pictures.value.value);
    return;
  }
  const list = sheets();
  setSpots(
    boxes(canvas, list.length).flatMap((box, i) => {
      const [sheet, run] = list[i]!;
      return spotsOf(drawSheet(context, box, sheet, ink.value), run, i);
    }),
  );
}

const isStale = (): boolean =>
  !isDataWanted() && (isMoving.value ? stale.value : made.isBusy.value || made.value.value === null);

const error = (): string => {
  if (isDataWanted()) return pictures.error.value && "The data set is not on this server.";
  return isMoving.value ? stageError.value : made.error.value;
};

function note(): string {
  if (!job.value || error()) return error();
  if (!hasModel(job.value) && isDataWanted()) return waiting(job.value, "the training data", "images");
  return isStale() ? "Drawing …" : "";
}

function label(): string {
  const what = job.value ? nameOf(job.value) : "";
  if (isDataWanted()) return `Images of the data of ${what}`;
  if (!isMoving.value) return `Images of ${what} from its checkpoints, from the same noise`;
  const how = shown.value?.home === 0 ? "dissolving into noise" : "forming from noise";
  return `${shown.value?.n ?? 0} images of ${what}, ${how}`;
}

export function ImageStage() {
  const ref = useCanvas(paint);
  const said = note();
  return (
    <>
      <ImageTools />
      <div class="image-stage">
        <div class="stage-canvas">
          <canvas ref={ref} class={isStale() ? "stale" : ""} role="img" aria-label={label()} />
          <Spots />
          {said && (
            <p class={`stage-note${error() ? " error" : ""}`} role={error() ? "alert" : "status"}>
              {said}
            </p>
          )}
        </div>
        <Neighbors />
      </div>
      {isMoving.value && <Track />}
    </>
  );
}
