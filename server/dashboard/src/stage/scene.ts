// One picture of the stage: which ways are shown, in which squares, and what is drawn in each.
import { dataPoints } from "../data";
import { listed, type StageMode, view } from "../hash";
import { position } from "../player";
import { job, jobB, nameOf } from "../runs";
import { ink } from "../theme";
import { held } from "./landing";
import { drawDensity, drawField, drawLines, drawPoints, drawWay, type Plane, type Tint } from "./marks";
import { shown, shownB } from "./subject";
import { type Bounds, boundsOf, frameAt, interpolate, type Trajectory } from "./trajectory";

interface Panel {
  trajectory: Trajectory;
  mode: StageMode;
  title: string;
  data: Float32Array | null; // what the run is trained on
}

function panels(): Panel[] {
  const a = shown.value;
  if (!a) return [];
  const { mode } = view.value;
  const b = shownB.value;
  const data = dataPoints.value[job.value?.id ?? ""] ?? null;
  if (b && jobB.value && job.value) {
    const single = mode === "both" ? "x" : mode;
    const dataB = dataPoints.value[jobB.value.id] ?? null;
    return [
      { trajectory: a, mode: single, title: `A  ${nameOf(job.value)}`, data },
      { trajectory: b, mode: single, title: `B  ${nameOf(jobB.value)}`, data: dataB },
    ];
  }
  if (mode === "both")
    return [
      { trajectory: a, mode: "x", title: "x, the points", data },
      { trajectory: a, mode: "x0", title: "x₀, where the model thinks they go", data },
    ];
  return [{ trajectory: a, mode, title: "", data }];
}

const ofData = new WeakMap<Float32Array, Bounds>();

/** The data's own bounds where they are known: then the picture stands still from one checkpoint to the next. */
function boundsFor(panel: Panel): Bounds {
  if (!panel.data) return panel.trajectory.bounds;
  let bounds = ofData.get(panel.data);
  if (!bounds) {
    bounds = boundsOf(panel.data, 2);
    ofData.set(panel.data, bounds);
  }
  return bounds;
}

/** Room for [n][2], used again for every frame. */
const rooms = [0, 1, 2].map(() => new Float32Array());
function room(which: number, n: number): Float32Array {
  if (rooms[which]!.length !== 2 * n) rooms[which] = new Float32Array(2 * n);
  return rooms[which]!;
}

const TRAILS = 8;

function tintOf(t: Trajectory, mode: StageMode, layers: Set<string>): Tint {
  if (t.labels) return { colours: ink.value.classes, of: t.labels };
  if (layers.has("hue")) return { colours: ink.value.hues, of: t.hues };
  return { colours: [mode === "x0" ? ink.value.estimate : ink.value.point], of: null };
}

function paint(plane: Plane, panel: Panel): void {
  const { trajectory: t, mode } = panel;
  const layers = new Set(listed("show"));
  const frame = frameAt(t, position.value);
  const [x, x0] = [room(0, t.n), room(1, t.n)];
  interpolate(t, "x", frame, x);
  interpolate(t, "x0", frame, x0);
  const main = mode === "x0" ? x0 : x;
  const colours = ink.value;
  const tint = tintOf(t, mode, layers);
  const radius = Math.max(1, (plane.size / 420) * (t.n > 3000 ? 1 : 1.5));
  const alpha = t.n > 3000 ? 0.6 : 0.8;
  if (layers.has("density")) drawDensity(plane, main, colours.tint);
  if (layers.has("data") && panel.data)
    drawPoints(plane, panel.data, { colours: [colours.data], of: null }, radius * 0.8, 0.5);
  if (layers.has("trails"))
    for (let back = TRAILS; back > 0; back--) {
      const past = room(2, t.n);
      interpolate(t, mode === "x0" ? "x0" : "x", Math.max(0, frame - back * 0.5), past);
      drawPoints(plane, past, tint, radius * 0.7, (0.16 * (TRAILS + 1 - back)) / TRAILS);
    }
  if (layers.has("lines")) drawLines(plane, x, x0, colours.line);
  if (mode === "over") drawPoints(plane, x0, { colours: [colours.estimate], of: null }, radius, alpha * 0.7);
  drawPoints(plane, main, tint, radius, alpha);
  if (layers.has("field") && (mode !== "x0" || view.value.mode === "x0"))
    drawField(plane, x, x0, colours.field);
}

/** A part of the canvas, in device pixels, and the square of the data in its middle, which may be wider. */
function planeIn(
  context: CanvasRenderingContext2D,
  column: { left: number; width: number; height: number },
  bounds: Bounds,
): Plane {
  const size = Math.min(column.width / bounds.wide, column.height / bounds.tall);
  const left = column.left + (column.width - size) / 2;
  return { context, size, left, top: (column.height - size) / 2, bounds };
}

/** Paints the whole canvas; returns the squares, for the pointer. */
export function repaint(canvas: HTMLCanvasElement): Plane[] {
  const context = canvas.getContext("2d")!;
  const list = panels();
  context.clearRect(0, 0, canvas.width, canvas.height);
  const { height } = canvas;
  const width = canvas.width / Math.max(1, list.length);
  const planes = list.map((panel, i): Plane => {
    const left = i * width;
    const plane = planeIn(context, { left, width, height }, boundsFor(panel));
    context.save();
    context.beginPath();
    context.rect(left, 0, width, height);
    context.clip();
    paint(plane, panel);
    context.restore();
    if (panel.title) {
      const px = devicePixelRatio;
      context.fillStyle = ink.value.text;
      context.font = `${Math.round(13 * px)}px system-ui, sans-serif`;
      context.fillText(panel.title, left + 14 * px, 22 * px, width - 28 * px);
    }
    return plane;
  });
  if (held.value && planes[0]) drawWay(planes[0], held.value, ink.value.accent);
  return planes;
}
