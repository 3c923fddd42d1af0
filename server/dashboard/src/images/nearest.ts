// The images of the data that are nearest to the chosen one, as the server finds them.
import { getBytes, getJson, type NearestImages, url } from "../api";
import { type Source, sourcesOf } from "../data";
import { resource } from "../results/resource";
import { chosen, type Spot } from "./spots";

export interface Neighbor {
  label: string | null;
  distance: number;
  picture: ImageBitmap;
}

const NEIGHBORS = 5;

/** Numbers of the arrays that images are in: another array has other images. */
const numbers = new WeakMap<ArrayBufferLike, number>();
let count = 0;
function numberOf({ buffer }: Float32Array): number {
  if (!numbers.has(buffer)) numbers.set(buffer, ++count);
  return numbers.get(buffer)!;
}

/** The nearest ones of one data set. If there are several, each is a class. */
async function search(source: Source, points: number[][], isClass: boolean, signal: AbortSignal) {
  const { id, n, seed } = source;
  const { nearest } = await getJson<NearestImages>(url(`/v1/datasets/${id}/nearest`), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ points, k: NEIGHBORS, ...(!source.upload && { n: n || undefined, seed }) }),
    signal,
  });
  return nearest[0]!.map((each) => ({
    ...each,
    label: isClass ? source.label : each.label,
    address: url(`/v1/datasets/${id}/images/${each.index}.png`, { seed: source.upload ? undefined : seed }),
  }));
}

async function load({ run, finished }: Spot, signal: AbortSignal): Promise<Neighbor[]> {
  const sources = sourcesOf(run);
  if (sources.length === 0) throw new Error("This model was imported without its data.");
  const points = [Array.from(finished, Math.round)];
  const found = await Promise.all(sources.map((each) => search(each, points, sources.length > 1, signal)));
  const nearest = found.flat().sort((a, b) => a.distance - b.distance);
  return Promise.all(
    nearest.slice(0, NEIGHBORS).map(async ({ label, distance, address }) => {
      const bytes = await getBytes(address, { signal });
      return { label, distance, picture: await createImageBitmap(new Blob([bytes])) };
    }),
  );
}

export const nearest = resource<Neighbor[]>(() => {
  const spot = chosen.value;
  if (!spot) return null;
  return {
    of: spot.key,
    key: `${spot.key}/${numberOf(spot.finished)}/${spot.finished.byteOffset}`,
    round: 0,
    load: (signal) => load(spot, signal),
  };
});
