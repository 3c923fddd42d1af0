// The clock of the stage: a position from 0 (the start) to 1 (the end) that plays, pauses and can be scrubbed.
import { computed, effect, signal } from "@preact/signals";
import { go, view } from "./hash";

export const position = signal(view.value.k);
export const playing = signal(false);
export const speed = signal(1);
export const SPEEDS = [0.25, 0.5, 1, 2, 4];

/** A change of the address moves the position. */
const addressed = computed(() => view.value.k);
effect(() => {
  position.value = addressed.value;
});

/** Selects the next speed; after the fastest comes the slowest. */
export function nextSpeed(): void {
  speed.value = SPEEDS[(SPEEDS.indexOf(speed.value) + 1) % SPEEDS.length]!;
}

const SECONDS = 3.5; // from start to end at speed 1
const HOLD = 1.2; // seconds for which the last picture stays before the animation repeats

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

/** Plays from start to end once. Resolves when the last picture has been shown for a moment. */
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

/** Moves to a position, and stops playing. */
export function scrub(to: number): void {
  playing.value = false;
  position.value = Math.min(1, Math.max(0, to));
  go({ k: position.value });
}
