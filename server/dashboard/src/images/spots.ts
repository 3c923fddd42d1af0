// Where the images on the stage are, and which one is chosen.
import { computed, signal } from "@preact/signals";
import type { Job } from "../api";
import type { Spot as Place } from "./sheet";

/** A generated image on the stage, in pixels of the page from the upper left corner of the canvas. */
export interface Spot {
  key: string; // the same for the image at this place when it is drawn again
  run: Job;
  name: string;
  finished: Float32Array;
  left: number;
  top: number;
  width: number;
  height: number;
}

export const spots = signal<Spot[]>([]);

const chosenKey = signal("");

export const chosen = computed<Spot | undefined>(() =>
  spots.value.find((each) => each.key === chosenKey.value),
);

/** Chooses an image, or with another click none. */
export function choose(spot: Spot): void {
  chosenKey.value = spot.key === chosenKey.value ? "" : spot.key;
}

export function unchoose(): void {
  chosenKey.value = "";
}

/** The images of a sheet; those of the data cannot be chosen. */
export function spotsOf(places: Place[], run: Job, sheet: number): Spot[] {
  const px = devicePixelRatio;
  return places.flatMap(({ tile, left, top, width, height }, at) =>
    tile.finished
      ? {
          ...{ key: `${run.id}/${sheet}/${at}`, run, name: tile.name, finished: tile.finished },
          ...{ left: left / px, top: top / px, width: width / px, height: height / px },
        }
      : [],
  );
}

const isSame = (a: Spot, b: Spot): boolean =>
  a.key === b.key &&
  a.name === b.name &&
  a.finished.buffer === b.finished.buffer &&
  a.finished.byteOffset === b.finished.byteOffset &&
  a.left === b.left &&
  a.top === b.top &&
  a.width === b.width &&
  a.height === b.height;

/** Tells where the images are now. An animation paints them at the same places again and again. */
export function setSpots(fresh: Spot[]): void {
  const before = spots.peek();
  if (fresh.length !== before.length || !fresh.every((spot, at) => isSame(spot, before[at]!)))
    spots.value = fresh;
}

/** The image that is next in a direction; the same one at the end. */
export function neighborOf(spot: Spot, [right, down]: [number, number]): Spot {
  let [best, least] = [spot, Number.POSITIVE_INFINITY];
  for (const each of spots.value) {
    const [x, y] = [each.left - spot.left, each.top - spot.top];
    const [ahead, aside] = [x * right + y * down, Math.abs(x * down) + Math.abs(y * right)];
    const distance = ahead + 4 * aside;
    if (ahead > 1 && distance < least) [best, least] = [each, distance];
  }
  return best;
}
