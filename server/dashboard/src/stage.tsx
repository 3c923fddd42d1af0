// The stage: points that dissolve and form, on one canvas or two, with the time track below.
import { effect, signal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { postJson, url } from "./api";
import {
  drawDensity,
  drawField,
  drawLines,
  drawPath,
  drawPoints,
  fromX,
  fromY,
  interpolate,
  type Plane,
  toX,
  toY,
} from "./draw-points";
import { go, type StageMode, shows, toggle, type View, view } from "./hash";
import { calm, play, playing, position, scrub } from "./player";
import { hasModel, job, jobB, nameOf, notice, onCheckpoint } from "./runs";
import { ink } from "./theme";
import { frameAt, loadTrajectory, type Trajectory } from "./trajectory";

export const shown = signal<Trajectory | null>(null);
export const shownB = signal<Trajectory | null>(null);
export const stageError = signal("");
export const busy = signal(0); // requests on their way

/** What the model drew at earlier checkpoints, as far as this page has seen them: the last frame, [n][2]. */
export interface Dream {
  epoch: number;
  points: Float32Array;
}
export const dreams = signal<Record<string, Dream[]>>({});
/** The earlier checkpoint that is on the stage; null: the newest. */
export const dream = signal<Dream | null>(null);
const MOST_DREAMS = 48;

function remember(id: string, epoch: number, t: Trajectory): void {
  const before = dreams.value[id] ?? [];
  if (epoch <= (before.at(-1)?.epoch ?? 0)) return;
  const points = interpolate(t.x, t.n, t.dim, t.timesteps.length - 1, new Float32Array(2 * t.n));
  // When there are many, every other one goes: the whole training stays covered.
  const kept = before.length < MOST_DREAMS ? before : before.filter((_, i) => i % 2 === 0);
  dreams.value = { ...dreams.value, [id]: [...kept, { epoch, points }] };
}

/** The path of the one point that is held: [steps][1][2], and where it lands. */
const held = signal<{ points: Float32Array; frames: number } | null>(null);

const pathOf = (id: string) => `/v1/models/${id}/trajectories`;

// What the picture depends on; position, layers and mode only redraw it.
const drawn = (v: View) => [v.n, v.seed, v.sampler, v.steps, v.guidance, v.label].join("/");

function keep(target: typeof shown, id: () => string | undefined): void {
  let stop: AbortController | undefined;
  let wanted = "";
  const load = async (key: string, jobId: string) => {
    stop?.abort();
    stop = new AbortController();
    const { signal: aborted } = stop;
    busy.value++;
    try {
      const loaded = await loadTrajectory(pathOf(jobId), view.value, aborted);
      if (wanted !== key) return;
      const first = target.value === null || target.value.key !== loaded.key;
      target.value = loaded;
      if (target === shown) remember(jobId, job.value?.progress.epoch ?? 0, loaded);
      stageError.value = "";
      held.value = null;
      if (first && target === shown && !calm.matches && position.value >= 1) play(true);
    } catch (error) {
      if (!aborted.aborted) {
        target.value = null;
        stageError.value = (error as Error).message;
      }
    } finally {
      busy.value--;
    }
  };
  effect(() => {
    const jobId = id();
    const key = jobId ? `${jobId}/${drawn(view.value)}` : "";
    if (key === wanted) return;
    wanted = key;
    if (target === shown) dream.value = null;
    if (jobId) void load(key, jobId);
    else {
      target.value = null;
      stop?.abort();
    }
  });
  onCheckpoint.add((which) => {
    const jobId = id();
    if (jobId === which && busy.value === 0) void load(wanted, jobId);
  });
}

keep(shown, () => (hasModel(job.value) ? job.value?.id : undefined));
keep(shownB, () => (hasModel(jobB.value) ? jobB.value?.id : undefined));

let scratch: [Float32Array, Float32Array] = [new Float32Array(), new Float32Array()];
const room = (n: number): [Float32Array, Float32Array] => {
  if (scratch[0].length !== 2 * n) scratch = [new Float32Array(2 * n), new Float32Array(2 * n)];
  return scratch;
};

/** Draws one trajectory into a square, as the view wants it. */
function paint(plane: Plane, t: Trajectory, mode: StageMode, at: number): void {
  const { context, left, top, size } = plane;
  const frame = frameAt(t, at);
  const [x, x0] = room(t.n);
  const earlier = dream.value;
  if (earlier && t === shown.value) {
    const colour = ink.value.point;
    drawPoints(plane, earlier.points, null, colour, Math.max(1, size / 280), 0.75);
    return;
  }
  interpolate(t.x, t.n, t.dim, frame, x);
  interpolate(t.x0, t.n, t.dim, frame, x0);
  const colours = ink.value;
  const radius = Math.max(1, (size / 420) * (t.n > 3000 ? 1 : 1.5));
  const alpha = t.n > 3000 ? 0.55 : 0.75;
  context.save();
  context.beginPath();
  context.rect(left, top, size, size);
  context.clip();
  const main = mode === "x0" ? x0 : x;
  if (shows("density")) drawDensity(plane, main, colours.tint);
  if (shows("trails")) {
    for (let back = 6; back > 0; back--) {
      const past = new Float32Array(2 * t.n);
      interpolate(mode === "x0" ? t.x0 : t.x, t.n, t.dim, Math.max(0, frame - back * 0.6), past);
      drawPoints(plane, past, t.labels, colours.point, radius * 0.8, 0.05);
    }
  }
  if (shows("lines")) drawLines(plane, x, x0, colours.line);
  if (mode === "over") drawPoints(plane, x0, null, colours.estimate, radius, alpha * 0.7);
  drawPoints(plane, main, t.labels, mode === "x0" ? colours.estimate : colours.point, radius, alpha);
  if (shows("field")) drawField(plane, x, x0, colours.field);
  context.restore();
}

function paintHeld(plane: Plane): void {
  const path = held.value;
  if (!path) return;
  const { context } = plane;
  drawPath(
    plane,
    { ...shown.value!, x: path.points, n: 1, timesteps: Array.from({ length: path.frames }, () => 0) },
    0,
    ink.value.accent,
  );
  for (const [index, fill] of [
    [0, false],
    [path.frames - 1, true],
  ] as const) {
    context.beginPath();
    context.arc(
      toX(plane, path.points[2 * index]!),
      toY(plane, path.points[2 * index + 1]!),
      plane.size / 90,
      0,
      7,
    );
    context.fillStyle = context.strokeStyle = ink.value.accent;
    context.lineWidth = 2;
    if (fill) context.fill();
    else context.stroke();
  }
}

interface Panel {
  trajectory: Trajectory;
  mode: StageMode;
  title: string;
}

function panels(): Panel[] {
  const a = shown.value;
  if (!a) return [];
  const { mode } = view.value;
  const b = shownB.value;
  if (b && jobB.value && job.value)
    return [
      { trajectory: a, mode: mode === "both" ? "x" : mode, title: `A  ${nameOf(job.value)}` },
      { trajectory: b, mode: mode === "both" ? "x" : mode, title: `B  ${nameOf(jobB.value)}` },
    ];
  if (mode === "both")
    return [
      { trajectory: a, mode: "x", title: "x, the points" },
      { trajectory: a, mode: "x0", title: "x₀, where the model thinks they go" },
    ];
  return [{ trajectory: a, mode, title: "" }];
}

/** The planes that were painted last, for the pointer. */
let planes: Plane[] = [];

function repaint(canvas: HTMLCanvasElement): void {
  const context = canvas.getContext("2d")!;
  const list = panels();
  context.clearRect(0, 0, canvas.width, canvas.height);
  const size = Math.min(canvas.width / Math.max(1, list.length), canvas.height);
  const gap = (canvas.width - size * list.length) / 2;
  planes = list.map((panel, i) => ({
    context,
    size,
    left: gap + i * size,
    top: (canvas.height - size) / 2,
    bounds: panel.trajectory.bounds,
  }));
  for (const [i, panel] of list.entries()) {
    const plane = planes[i]!;
    paint(plane, panel.trajectory, panel.mode, position.value);
    if (i === 0) paintHeld(plane);
    if (!panel.title) continue;
    context.fillStyle = ink.value.text;
    context.font = `${Math.round(13 * devicePixelRatio)}px system-ui, sans-serif`;
    context.fillText(panel.title, plane.left + 10 * devicePixelRatio, plane.top + 20 * devicePixelRatio);
  }
}

/** Asks where a start point lands: the deterministic samplers make that a function. */
let asking = false;
let nextPoint: [number, number] | undefined;
async function holdPoint(point: [number, number]): Promise<void> {
  nextPoint = point;
  if (asking || !job.value) return;
  asking = true;
  while (nextPoint) {
    const noise = [nextPoint];
    nextPoint = undefined;
    const deterministic = ["ddim", "dpmpp_2m", "heun", "euler"].includes(view.value.sampler);
    try {
      const answer = await postJson<{ x: number[][][] }>(url(pathOf(job.value.id)), {
        noise,
        seed: view.value.seed,
        sampler: deterministic ? view.value.sampler : "ddim",
      });
      const points = new Float32Array(answer.x.flat(2));
      held.value = { points, frames: answer.x.length };
      const end = answer.x.at(-1)?.[0] ?? [];
      notice.value = `lands at ${end.map((v) => v.toFixed(3)).join(", ")}`;
    } catch (error) {
      stageError.value = (error as Error).message;
    }
  }
  asking = false;
}

function pointOf(event: PointerEvent): [number, number] | undefined {
  const canvas = event.currentTarget as HTMLCanvasElement;
  const box = canvas.getBoundingClientRect();
  const x = ((event.clientX - box.left) * canvas.width) / box.width;
  const y = ((event.clientY - box.top) * canvas.height) / box.height;
  const plane = planes[0];
  if (!plane || x < plane.left || x > plane.left + plane.size || shown.value?.dim !== 2) return undefined;
  return [fromX(plane, x), fromY(plane, y)];
}

export function Stage() {
  const ref = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    void [position.value, shown.value, shownB.value, view.value, ink.value, held.value, dream.value];
    if (ref.current) repaint(ref.current);
  });
  useEffect(() => {
    const canvas = ref.current!;
    const fit = () => {
      canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
      canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
      repaint(canvas);
    };
    const observer = new ResizeObserver(fit);
    observer.observe(canvas);
    return () => observer.disconnect();
  }, []);
  const current = job.value;
  const t = shown.value;
  const state = stageError.value
    ? stageError.value
    : !current
      ? ""
      : !hasModel(current)
        ? current.status === "queued"
          ? `In the queue${current.queue_position ? `, ${current.queue_position} ahead` : ", next to run"} …`
          : current.status === "running"
            ? "Training has begun; the first points appear with the first epoch …"
            : "This run ended before it had made a model."
        : t
          ? ""
          : "Drawing …";
  const drag = (event: PointerEvent) => {
    const point = pointOf(event);
    if (point) void holdPoint(point);
  };
  return (
    <div class="stage-canvas">
      <canvas
        ref={ref}
        role="img"
        aria-label={
          t && current
            ? `${t.n} points of ${nameOf(current)}, drawn from noise in ${t.timesteps.length - 1} frames`
            : "no picture yet"
        }
        onPointerDown={(event) => {
          (event.currentTarget as HTMLCanvasElement).setPointerCapture(event.pointerId);
          drag(event);
        }}
        onPointerMove={(event) => {
          if (event.buttons > 0) drag(event);
        }}
      />
      {state && (
        <p
          class={`stage-note${stageError.value ? " error" : ""}`}
          role={stageError.value ? "alert" : "status"}
        >
          {state}
        </p>
      )}
      {t && !held.value && !state && <p class="stage-hint">drag to see where a point of noise lands</p>}
      {held.value && (
        <button type="button" class="stage-clear" onClick={() => (held.value = null)}>
          clear the path
        </button>
      )}
    </div>
  );
}

/** The noise level along the way, as the shape of the track. */
function trackShape(t: Trajectory): string {
  const spread: number[] = [];
  const frames = t.timesteps.length;
  for (let k = 0; k < frames - 1; k++) {
    let sum = 0;
    const at = k * t.n * t.dim;
    for (let i = 0; i < t.n * t.dim; i++) sum += (t.x[at + i]! - t.x0[at + i]!) ** 2;
    spread.push(Math.sqrt(sum / (t.n * t.dim)));
  }
  spread.push(0);
  const most = Math.max(...spread, 1e-9);
  const points = spread.map(
    (s, k) => `${((100 * k) / (frames - 1)).toFixed(2)},${(22 - 20 * Math.sqrt(s / most)).toFixed(2)}`,
  );
  return `M0,24 L${points.join(" L")} L100,24 Z`;
}

export function Track() {
  const t = shown.value;
  const at = t ? frameAt(t, position.value) : 0;
  const step = t?.timesteps[Math.round(at)] ?? 0;
  return (
    <div class="track">
      <button
        type="button"
        class="round"
        aria-label={playing.value ? "pause" : "play"}
        title="space"
        disabled={!t}
        onClick={() => play(!playing.value)}
      >
        {playing.value ? "❚❚" : "▶"}
      </button>
      <div class="track-line">
        {t && (
          <svg viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
            <path d={trackShape(t)} />
            <rect x={100 * position.value - 0.15} y="0" width="0.3" height="24" />
          </svg>
        )}
        <input
          type="range"
          min="0"
          max={t ? t.timesteps.length - 1 : 1}
          step="any"
          value={at}
          disabled={!t}
          aria-label="diffusion time"
          aria-valuetext={`timestep ${step}`}
          onInput={(event) => t && scrub(Number(event.currentTarget.value) / (t.timesteps.length - 1))}
        />
      </div>
      <output class="time">t = {step}</output>
    </div>
  );
}

const MODES: [StageMode, string, string][] = [
  ["x", "x", "the points on their way"],
  ["x0", "x₀", "where the model thinks they go"],
  ["both", "x | x₀", "side by side"],
  ["over", "x + x₀", "one over the other"],
];
const LAYERS: [string, string, string][] = [
  ["density", "Density", ""],
  ["field", "Field", "f"],
  ["lines", "Lines", "l"],
  ["trails", "Trails", ""],
];

export function StageTools() {
  return (
    <div class="tools" role="toolbar" aria-label="stage">
      <fieldset class="segments">
        <legend class="sr-only">what is shown</legend>
        {MODES.map(([mode, label, doc]) => (
          <button
            key={mode}
            type="button"
            title={doc}
            aria-pressed={view.value.mode === mode}
            onClick={() => go({ mode })}
          >
            {label}
          </button>
        ))}
      </fieldset>
      {LAYERS.map(([layer, label, key]) => (
        <button
          key={layer}
          type="button"
          title={key && `key ${key}`}
          aria-pressed={shows(layer)}
          onClick={() => toggle(layer)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}
