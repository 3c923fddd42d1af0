// The points that a run is trained on: for the bounds of the stage, for the layer behind the points, and for links.
import { signal } from "@preact/signals";
import { type DatasetPart, getBytes, type Job, url } from "./api";
import { readNpy } from "./arrays";

/** A part of a run's data set, which is a class of its own if there are several. */
export interface Source {
  id: string; // as in /v1/datasets/ID
  label: string;
  upload: boolean;
  classes: string[] | null; // of an upload
  n: number; // points; 0 if that is not said
}

/** Of the noise that a run is trained with. */
export const timestepsOf = (run: Job): number => run.spec.diffusion?.timesteps ?? 0;

function sourceOf(part: DatasetPart): Source {
  if (typeof part === "string") return { id: part, label: part, upload: false, classes: null, n: 0 };
  const { n = 0 } = part;
  if ("id" in part)
    return { id: part.id, label: part.name ?? "upload", upload: true, classes: part.classes ?? null, n };
  const { name = "" } = part;
  return { id: name, label: name, upload: false, classes: null, n };
}

/** None for a model that came without word of its data. */
export function sourcesOf(run: Job): Source[] {
  const { dataset } = run.spec;
  if (!dataset) return [];
  return (Array.isArray(dataset) ? dataset : [dataset]).map(sourceOf);
}

/** What a run's classes are called; none for a run without labels. */
export function classesOf(run: Job): string[] {
  const sources = sourcesOf(run);
  if (sources.length < 2) return sources[0]?.classes ?? [];
  const names: string[] = []; // of one name, the second is "name (2)"
  for (const { label } of sources) {
    let name = label;
    for (let number = 2; names.includes(name); number++) name = `${label} (${number})`;
    names.push(name);
  }
  return names;
}

export const datasetName = (run: Job): string =>
  sourcesOf(run)
    .map((each) => each.label)
    .join(" + ");

/** Points [n][dim]. */
export interface Cloud {
  data: Float32Array;
  dim: number;
}

/** Two coordinates of each point, [n][2]; one coordinate is shown along a line. */
export function plane({ data, dim }: Cloud, [x, y]: [number, number] = [0, 1]): Float32Array {
  if (dim === 2 && x === 0 && y === 1) return data;
  const n = data.length / dim;
  const flat = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) {
    flat[2 * i] = data[i * dim + x]!;
    flat[2 * i + 1] = dim > 1 ? data[i * dim + y]! : 0;
  }
  return flat;
}

export const DRAW = 2000; // points of each source, at most

const draws = new Map<string, Promise<Cloud>>();

/** Some points of a data set. */
function cloudOf(id: string): Promise<Cloud> {
  let known = draws.get(id);
  if (!known) {
    known = getBytes(url(`/v1/datasets/${id}/points.npy`, { n: DRAW })).then((bytes) => {
      const { data, shape } = readNpy(bytes);
      return { data, dim: shape[1] ?? 1 };
    });
    known.catch(() => draws.delete(id));
    draws.set(id, known);
  }
  return known;
}

/** Their first two coordinates, [n][2]. */
export const drawOf = async (id: string): Promise<Float32Array> => plane(await cloudOf(id));

/** Points of the data of each run, as far as they have been asked for; null: they are not there any more. */
export const dataPoints = signal<Record<string, Cloud | null>>({});

export async function loadData(run: Job): Promise<Cloud | null> {
  const known = dataPoints.value[run.id];
  if (known !== undefined) return known;
  let points: Cloud | null = null;
  try {
    const parts = await Promise.all(sourcesOf(run).map((each) => cloudOf(each.id)));
    const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
    let at = 0;
    for (const part of parts) {
      data.set(part.data, at);
      at += part.data.length;
    }
    points = { data, dim: parts[0]?.dim ?? 2 };
  } catch {
    // An upload that has been deleted: the run goes on without it.
  }
  dataPoints.value = { ...dataPoints.value, [run.id]: points };
  return points;
}
