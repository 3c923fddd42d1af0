// A trajectory as the stage needs it: all frames of x and of the estimate x0, as flat arrays.
import { getBytes, getJson, url } from "./api";
import type { View } from "./hash";
import { readNpy } from "./npy";

export interface Trajectory {
  key: string;
  n: number;
  dim: number;
  timesteps: number[]; // [frames], from T down to 0
  x: Float32Array; // [frames][n][dim]
  x0: Float32Array; // [frames - 1][n][dim]
  labels: number[] | null;
  bounds: Bounds;
  evaluations: number | null;
}

export interface Bounds {
  x: number;
  y: number;
  radius: number; // half the side of the square that is shown
}

const FRAMES = 81;

/** The query that draws this view from a model; the same for every format. */
export function sampleQuery(view: View, frames = true): Record<string, string | number | undefined> {
  return {
    n: view.n,
    seed: view.seed,
    sampler: view.sampler || undefined,
    steps: view.steps || undefined,
    guidance: view.guidance !== 1 ? view.guidance : undefined,
    label: view.label >= 0 ? view.label : undefined,
    frames: frames ? FRAMES : undefined,
  };
}

/** The square around the points of the last frame, with room for the noise around it. */
export function boundsOf(points: Float32Array, dim: number): Bounds {
  const low = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const high = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < points.length; i += dim)
    for (let j = 0; j < 2; j++) {
      const value = j < dim ? points[i + j]! : 0;
      low[j] = Math.min(low[j]!, value);
      high[j] = Math.max(high[j]!, value);
    }
  const radius = Math.max(high[0]! - low[0]!, high[1]! - low[1]!, 1e-6) * 0.75;
  return { x: (low[0]! + high[0]!) / 2, y: (low[1]! + high[1]!) / 2, radius };
}

interface Head {
  timesteps: number[];
  labels?: number[] | null;
  evaluations?: number;
}

export async function loadTrajectory(path: string, view: View, signal?: AbortSignal): Promise<Trajectory> {
  const query = sampleQuery(view);
  const init: RequestInit = signal ? { signal } : {};
  const [x, x0, head, drawn] = await Promise.all([
    getBytes(url(`${path}.npy`, { ...query, which: "x" }), init).then(readNpy),
    getBytes(url(`${path}.npy`, { ...query, which: "x0" }), init).then(readNpy),
    getJson<Head>(url(path, { ...query, n: 1 }), init),
    view.label < 0 && path.includes("/models/")
      ? getJson<Head>(url(path.replace("/trajectories", "/samples"), sampleQuery(view, false)), init)
      : null,
  ]);
  const [frames = 0, n = 0, dim = 0] = x.shape;
  const last = x.data.subarray((frames - 1) * n * dim);
  return {
    key: path,
    n,
    dim,
    timesteps: head.timesteps,
    x: x.data,
    x0: x0.data,
    labels: drawn?.labels ?? null,
    bounds: boundsOf(last, dim),
    evaluations: head.evaluations ?? null,
  };
}

/** Position 0..1 on the time track as a frame index with fraction. */
export const frameAt = (trajectory: Trajectory, position: number): number =>
  position * (trajectory.timesteps.length - 1);
