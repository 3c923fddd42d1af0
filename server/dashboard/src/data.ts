// The points that a run is trained on. They are used for the bounds of the stage, the layer of data, and links.
import { signal } from "@preact/signals";
import { type DatasetPart, getBytes, type Job, url } from "./api";
import { readNpy } from "./arrays";

/** One of a run's data sets. If there are several, each is a class. */
export interface Source {
  id: string; // as in /v1/datasets/ID
  label: string;
  upload: boolean;
  classes: string[] | null; // of an upload, and of the built-in digits
  n: number; // number of points; 0 if unknown
  seed: number; // of a built-in data set
}

type Shape = [number, number, number]; // height, width, channels

/** The built-in data set of images. A job only names it. */
const DIGITS = { id: "digits", shape: [28, 28, 1] as Shape, classes: Array.from("0123456789") };

/** Height, width and channels of the images that a run is trained on; null for points. */
export function shapeOf(run: Job): Shape | null {
  const [part] = [run.spec.dataset].flat();
  if (typeof part !== "object") return part === DIGITS.id ? DIGITS.shape : null;
  if ("id" in part) return (part.shape as Shape | undefined) ?? null;
  return (part.name as string) === DIGITS.id ? DIGITS.shape : null;
}

export const timestepsOf = (run: Job): number => run.spec.diffusion?.timesteps ?? 0;

function sourceOf(part: DatasetPart): Source {
  if (typeof part === "string") return sourceOf({ name: part } as DatasetPart);
  const { n = 0, seed = 0 } = part;
  if ("id" in part)
    return {
      id: part.id,
      label: part.name ?? "upload",
      upload: true,
      classes: part.classes ?? null,
      n,
      seed,
    };
  const { name = "" } = part;
  const classes = (name as string) === DIGITS.id ? DIGITS.classes : null;
  return { id: name, label: name, upload: false, classes, n, seed };
}

/** The data sets of a run; none for a model that was imported without a description of its data. */
export function sourcesOf(run: Job): Source[] {
  const { dataset } = run.spec;
  if (!dataset) return [];
  return (Array.isArray(dataset) ? dataset : [dataset]).map(sourceOf);
}

/** The names of a run's classes; none for a run without labels. */
export function classesOf(run: Job): string[] {
  const sources = sourcesOf(run);
  if (sources.length < 2) return sources[0]?.classes ?? [];
  const names: string[] = []; // the second class with the same name becomes "name (2)"
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

/** Two coordinates of each point, [n][2]. The second one of one-dimensional points is 0. */
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

export const DRAW = 2000; // maximum number of points from each source

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

/** Points of the data of each run that has been loaded; null if the data no longer exists. */
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
    // The upload has been deleted: the run is shown without its data.
  }
  dataPoints.value = { ...dataPoints.value, [run.id]: points };
  return points;
}
