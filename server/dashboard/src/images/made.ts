// What the checkpoints of the run on the stage draw from the same noise.
import { epochs } from "../checkpoints";
import { classesOf } from "../data";
import { DEFAULTS, DRAWN, view } from "../hash";
import { resource } from "../results/resource";
import { hasModel, job } from "../runs";
import { loadReverse, type Trajectory } from "../stage/trajectory";
import { kind, tab } from "../tabs";

const SHOWN = 8; // checkpoints
const IMAGES = 10; // of each

/** Some of the checkpoints, evenly, with the first and the last. */
function thinned(all: number[]): number[] {
  const count = Math.min(SHOWN, all.length);
  return Array.from(
    { length: count },
    (_, k) => all[Math.round((k * (all.length - 1)) / Math.max(1, count - 1))]!,
  );
}

/** The finished images of a checkpoint never change, so they are kept for as long as the view is the same. */
let kept = { of: "", images: new Map<number, Trajectory>() };

/** The first images of each checkpoint, from the oldest to the newest. */
export const made = resource<Trajectory[]>(() => {
  const run = job.value;
  const list = thinned(epochs()); // none until their list is loaded
  if (kind.value !== "images" || tab.value !== "checkpoints" || !hasModel(run) || list.length === 0)
    return null;
  const asked = Object.fromEntries(DRAWN.map((name) => [name, view.value[name]]));
  const of = [run.id, ...Object.values(asked)].join("/");
  const n = view.value.class < 0 ? Math.min(IMAGES, classesOf(run).length || IMAGES) : IMAGES;
  const own = view.value.guidance === 0 ? 1 : view.value.own; // then there are no classes, and each image has its own noise
  const request = { ...DEFAULTS, n, ...asked, own };
  return {
    of: run.id,
    key: `${of}/${list}`,
    round: 0,
    load: async (signal) => {
      if (kept.of !== of) kept = { of, images: new Map() };
      const { images } = kept;
      for (const epoch of list)
        if (!images.has(epoch)) images.set(epoch, await loadReverse(run, { ...request, epoch }, signal, 2));
      return list.map((epoch) => images.get(epoch)!);
    },
  };
});
