// One point of noise that is held: where it goes, and where it lands. The deterministic samplers make that a function.
import { signal } from "@preact/signals";
import { postJson, url } from "../api";
import { view } from "../hash";
import { job, notice } from "../runs";

/** The way of the point, [frames][2]. */
export const held = signal<Float32Array | null>(null);
export const landingError = signal("");

const DETERMINISTIC = ["ddim", "dpmpp_2m", "heun", "euler"];

let asking = false;
let next: [number, number] | undefined;

async function ask(id: string, point: [number, number]): Promise<void> {
  const { seed, sampler, epoch } = view.value;
  const answer = await postJson<{ x: number[][][] }>(url(`/v1/models/${id}/trajectories`), {
    noise: [point],
    seed,
    sampler: DETERMINISTIC.includes(sampler) ? sampler : "ddim",
    ...(epoch ? { epoch } : {}),
  });
  held.value = new Float32Array(answer.x.flat(2));
  const end = answer.x.at(-1)?.[0] ?? [];
  notice.value = `lands at ${end.map((v) => v.toFixed(3)).join(", ")}`;
}

/** Asks where this start point lands; of many calls, while one is on its way, the last one counts. */
export async function hold(point: [number, number]): Promise<void> {
  next = point;
  if (asking || !job.value) return;
  asking = true;
  while (next) {
    const now = next;
    next = undefined;
    try {
      await ask(job.value.id, now);
      landingError.value = "";
    } catch (error) {
      landingError.value = (error as Error).message;
    }
  }
  asking = false;
}
