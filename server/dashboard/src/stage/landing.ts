// One point of noise that is held: where it goes, and where it lands. The deterministic samplers make that a function.
import { signal } from "@preact/signals";
import { postJson, url } from "../api";
import { describe, isDeterministic } from "../description";
import { view } from "../hash";
import { job } from "../runs";

/** The way of the point, [frames][2]. */
export const held = signal<Float32Array | null>(null);
/** That way in words. */
export const landing = signal("");
export const landingError = signal("");

let asking = false;
let next: [number, number] | undefined;
let subject = 0; // answers about another one are too late

/** Lets go of the point: something else is on the stage. */
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

/** A random sampler would take the same point elsewhere each time, so ddim stands in for it. */
function words({ x, timesteps }: Answer, sampler: string): string {
  const place = (frame: number[][] | undefined) => `(${frame?.[0]?.map((v) => v.toFixed(3)).join(", ")})`;
  return `From noise at t = ${timesteps[0]}, ${place(x[0])}, by ${sampler} to ${place(x.at(-1))}`;
}

async function ask(id: string, point: [number, number]): Promise<void> {
  const { seed, sampler, epoch, clip } = view.value;
  const about = subject;
  await describe();
  const by = isDeterministic(sampler) ? sampler : "ddim";
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

/** Asks where this start point lands; of many calls, while one is on its way, the last one counts. */
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
