// Pictures of the data of the run on the stage, as the server draws them.
import { getBytes, url } from "../api";
import { classesOf, sourcesOf } from "../data";
import { shows, view } from "../hash";
import { resource } from "../results/resource";
import { hasModel, job } from "../runs";
import { wayOf } from "../stage/trajectory";
import { isMoving, kind } from "../tabs";
import type { Box } from "./sheet";

const COLUMNS = 12;
const ROWS = 6; // without classes

/** Whether the stage shows the data as they are, instead of how they turn into noise or what a model makes of it. */
export const isDataWanted = (): boolean => {
  const isForward = isMoving.value && job.value !== undefined && wayOf(job.value, view.value) !== "";
  return !isForward && (!hasModel(job.value) || shows("data"));
};

/** A picture of each data set. The images of a class begin a row. */
export const pictures = resource<ImageBitmap[]>(() => {
  const run = job.value;
  if (kind.value !== "images" || !run || !isDataWanted()) return null;
  const sources = sourcesOf(run);
  const rows = sources.length > 1 ? 1 : classesOf(run).length || ROWS;
  const query = { n: COLUMNS * rows, columns: COLUMNS, scale: 1 };
  return {
    of: run.id,
    key: run.id,
    round: 0,
    load: (signal) =>
      Promise.all(
        sources.map(async ({ id }) => {
          const bytes = await getBytes(url(`/v1/datasets/${id}/images.png`, query), { signal });
          return createImageBitmap(new Blob([bytes]));
        }),
      ),
  };
});

/** Draws them below each other, in the middle of a box. */
export function drawPictures(context: CanvasRenderingContext2D, box: Box, list: ImageBitmap[]): void {
  const width = Math.max(...list.map((each) => each.width));
  const height = list.reduce((sum, each) => sum + each.height, 0);
  const raw = Math.min(box.width / width, box.height / height);
  const scale = raw >= 2 ? Math.floor(2 * raw) / 2 : raw;
  let top = Math.round(box.top + (box.height - height * scale) / 2);
  context.imageSmoothingEnabled = scale < 1;
  for (const each of list) {
    const left = Math.round(box.left + (box.width - width * scale) / 2);
    context.drawImage(each, left, top, each.width * scale, each.height * scale);
    top += each.height * scale;
  }
}
