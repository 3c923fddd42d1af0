// The path of one noise point that the user drags. Deterministic samplers always take the same point to the same place.
import { signal } from "@preact/signals";
import { postJson, url } from "../api";
import { describe, isDeterministic } from "../description";
import { view } from "../hash";
import { job } from "../runs";

/** The path of the point, [frames][2]. */
export const held = signal<Float32Array | null>(null);
/** The path in words. */
export const landing = signal("");
export const landingError = signal("");

let asking = false;
let next: [number, number] | undefined;
let subject = 0; // counts the subjects of the stage; responses for an earlier one are ignored

/** Removes the path, for example when something else is on the stage. */
export function release(): void {
  subject++;
  next = undefined;
  held.value = null;
  landingError.value = "";
}

interface Answer {
  x: number[][][];
  timesteps: number[];
}

function words({ x, timesteps }: Answer, sampler: string): string {
  const place = (frame: number[][] | undefined) => `(${frame?.[0]?.map((v) => v.toFixed(3)).join(", ")})`;
  return `${sampler} moves the noise point ${place(x[0])} at t = ${timesteps[0]} to ${place(x.at(-1))}`;
}

async function ask(id: string, point: [number, number]): Promise<void> {
  const { seed, sampler, epoch, clip } = view.value;
  const about = subject;
  await describe();
  const by = isDeterministic(sampler) ? sampler : "ddim"; // others would take the point elsewhere each time
  const answer = await postJson<Answer>(url(`/v1/models/${id}/trajectories`), {
    noise: [point],
    seed,
    sampler: by,
    ...(epoch ? { epoch } : {}),
    ...(clip ? {} : { clip: false }),
  });
  if (about !== subject) return;
  held.value = new Float32Array(answer.x.flat(2));
  landing.value = words(answer, by);
}

/** Requests the path of a start point. Calls during a request replace each other, and only the last one is made. */
export async function hold(point: [number, number]): Promise<void> {
  next = point;
  if (asking || !job.value) return;
  asking = true;
  while (next && job.value) {
    const now = next;
    const about = subject;
    next = undefined;
    try {
      await ask(job.value.id, now);
      landingError.value = "";
    } catch (error) {
      if (about === subject) landingError.value = (error as Error).message;
    }
  }
  asking = false;
}
