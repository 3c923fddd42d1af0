// The clock of the stage: a position 0 (noise) .. 1 (data) that plays, pauses and is scrubbed.
import { computed, effect, signal } from "@preact/signals";
import { go, view } from "./hash";

export const position = signal(view.value.k);
export const playing = signal(false);
export const speed = signal(1);
export const SPEEDS = [0.25, 0.5, 1, 2, 4];

/** Another address says where the track is. */
const told = computed(() => view.value.k);
effect(() => {
  position.value = told.value;
});

/** The next speed, and the slowest after the fastest. */
export function nextSpeed(): void {
  speed.value = SPEEDS[(SPEEDS.indexOf(speed.value) + 1) % SPEEDS.length]!;
}

const SECONDS = 3.5; // for the whole way at speed 1
const HOLD = 1.2; // seconds that the finished picture stands before it starts over

let frame = 0;
let before = 0;
let held = 0;

export const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

function tick(now: number): void {
  const elapsed = before ? Math.min(0.1, (now - before) / 1000) : 0;
  before = now;
  if (position.value >= 1) {
    held += elapsed;
    if (held > HOLD) {
      position.value = 0;
      held = 0;
    }
  } else {
    position.value = Math.min(1, position.value + (elapsed * speed.value) / SECONDS);
  }
  frame = requestAnimationFrame(tick);
}

effect(() => {
  cancelAnimationFrame(frame);
  before = 0;
  if (playing.value && !document.hidden) frame = requestAnimationFrame(tick);
});

document.addEventListener("visibilitychange", () => {
  cancelAnimationFrame(frame);
  before = 0;
  if (playing.value && !document.hidden) frame = requestAnimationFrame(tick);
});

export function play(on: boolean): void {
  if (on && position.value >= 1) position.value = 0;
  held = 0;
  playing.value = on;
  if (!on) go({ k: position.value });
}

/** Plays the whole way once; resolves when its end has stood for a moment. */
export function once(): Promise<void> {
  position.value = 0;
  play(true);
  return new Promise((done) => {
    const stop = effect(() => {
      if (position.value < 1 && playing.value) return;
      setTimeout(() => {
        stop();
        play(false);
        done();
      }, 500 * HOLD);
    });
  });
}

/** Moves to a position, as a hand on the track does: playing stops. */
export function scrub(to: number): void {
  playing.value = false;
  position.value = Math.min(1, Math.max(0, to));
  go({ k: position.value });
}
