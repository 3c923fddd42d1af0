// One picture of the stage: the trajectories that are shown, their squares, and the layers in each.
import type { Job } from "../api";
import { type Cloud, dataPoints, plane as flat } from "../data";
import { listed, type StageMode, view } from "../hash";
import { position } from "../player";
import { job, jobB, nameOf } from "../runs";
import { ink } from "../theme";
import { type Axes, axesOf, columnName, isTable } from "./axes";
import { drawHistogram } from "./histogram";
import { held } from "./landing";
import { drawDensity, drawField, drawLines, drawPoints, drawWay, type Plane, type Tint } from "./marks";
import { type Raster, rasterOf } from "./raster";
import { drawScales } from "./scales";
import { shown, shownB } from "./subject";
import { type Bounds, boundsOf, frameAt, interpolate, layoutOf, type Trajectory } from "./trajectory";

interface Panel {
  trajectory: Trajectory;
  mode: StageMode;
  title: string;
  run: Job | undefined;
  data: Cloud | null; // the training data of the run
  axes: Axes;
  isTable: boolean; // whether the axes are separate quantities, which are labeled
}

function panelOf(trajectory: Trajectory, mode: StageMode, title: string, run: Job | undefined): Panel {
  const { dim } = trajectory;
  const data = dataPoints.value[run?.id ?? ""] ?? null;
  return {
    ...{ trajectory, mode, title, run },
    data: data?.dim === dim ? data : null,
    axes: axesOf(dim),
    isTable: isTable(run, dim),
  };
}

function panels(): Panel[] {
  const a = shown.value;
  if (!a) return [];
  const { mode } = view.value;
  const b = shownB.value;
  const run = job.value;
  if (b && jobB.value && run) {
    const single = mode === "both" ? "x" : mode;
    return [
      panelOf(a, single, `A  ${nameOf(run)}`, run),
      panelOf(b, single, `B  ${nameOf(jobB.value)}`, jobB.value),
    ];
  }
  if (mode === "both")
    return [
      panelOf(a, "x", "x, the points", run),
      panelOf(a, "x0", "x₀, the model's estimate of the data", run),
    ];
  return [panelOf(a, mode, "", run)];
}

const ofData = new WeakMap<Cloud, Map<string, Bounds>>();

/** The bounds of the data if they are known, so that the picture does not move from one checkpoint to the next. */
function boundsFor({ data, axes, isTable: free, trajectory }: Panel): Bounds {
  if (!data) return layoutOf(trajectory, axes, free).bounds;
  const known = ofData.get(data) ?? new Map<string, Bounds>();
  ofData.set(data, known);
  const key = `${axes}/${free}`;
  const bounds = known.get(key) ?? boundsOf(data.data, data.dim, axes, free);
  known.set(key, bounds);
  return bounds;
}

const planes = new WeakMap<Cloud, { axes: string; points: Float32Array }>();

/** The data of a panel along its axes, [n][2]. */
function dataOf({ data, axes }: Panel): Float32Array | null {
  if (!data) return null;
  const key = axes.join();
  let known = planes.get(data);
  if (known?.axes !== key) {
    known = { axes: key, points: flat(data, axes) };
    planes.set(data, known);
  }
  return known.points;
}

/** Buffers of [n][2], which all frames share. */
const rooms = [0, 1, 2].map(() => new Float32Array());
function room(which: number, n: number): Float32Array {
  if (rooms[which]!.length !== 2 * n) rooms[which] = new Float32Array(2 * n);
  return rooms[which]!;
}

const TRAILS = 8;
const LINE_ALPHA = 45; // of 255

function tintOf({ trajectory: t, mode, axes, isTable: free }: Panel, layers: Set<string>): Tint {
  if (t.classes) return { colors: ink.value.classes, of: t.classes };
  if (layers.has("hue")) return { colors: ink.value.hues, of: layoutOf(t, axes, free).hues };
  return { colors: [mode === "x0" ? ink.value.estimate : ink.value.point], of: null };
}

/** The points of a panel at the current position. The next call overwrites them. */
function now({ trajectory: t, axes }: Panel): { frame: number; x: Float32Array; x0: Float32Array } {
  const frame = frameAt(t, position.value);
  const [x, x0] = [room(0, t.n), room(1, t.n)];
  interpolate(t, "x", frame, axes, x);
  interpolate(t, "x0", frame, axes, x0);
  return { frame, x, x0 };
}

/** Draws everything except for arrows and text, which the canvas draws. */
function paint(plane: Plane, panel: Panel, layers: Set<string>): void {
  const { trajectory: t, mode } = panel;
  const { frame, x, x0 } = now(panel);
  const main = mode === "x0" ? x0 : x;
  const colors = ink.value;
  const tint = tintOf(panel, layers);
  const radius = Math.max(1, (plane.size / 420) * (t.n > 3000 ? 1 : 1.5));
  const alpha = colors.cover * (t.n > 3000 ? 0.75 : 1);
  if (layers.has("density")) drawDensity(plane, main, colors.tint);
  const data = layers.has("data") && dataOf(panel);
  if (data) drawPoints(plane, data, { colors: [colors.data], of: null }, radius * 0.8, 0.5);
  if (layers.has("trails"))
    for (let back = TRAILS; back > 0; back--) {
      const past = room(2, t.n);
      interpolate(t, mode === "x0" ? "x0" : "x", Math.max(0, frame - back * 0.5), panel.axes, past);
      drawPoints(plane, past, tint, radius * 0.7, (0.16 * (TRAILS + 1 - back)) / TRAILS);
    }
  if (layers.has("lines") && mode !== "x0") drawLines(plane, x, x0, colors.point, LINE_ALPHA);
  if (mode === "over") drawPoints(plane, x0, { colors: [colors.estimate], of: null }, radius, alpha * 0.7);
  drawPoints(plane, main, tint, radius, alpha);
}

/** Draws a single column as a histogram. */
function annotateLine(
  context: CanvasRenderingContext2D,
  plane: Plane,
  panel: Panel,
  layers: Set<string>,
): void {
  const { x, x0 } = now(panel);
  drawHistogram(context, plane, panel.mode === "x0" ? x0 : x, tintOf(panel, layers), {
    data: dataOf(panel),
    dataColor: ink.value.text,
    other: panel.mode === "over" ? x0 : null,
    otherColor: ink.value.estimate,
  });
}

/** Draws what is above the points. */
function annotate(context: CanvasRenderingContext2D, plane: Plane, panel: Panel, layers: Set<string>): void {
  const { from, to } = plane.clip;
  if (panel.trajectory.dim === 1) annotateLine(context, plane, panel, layers);
  else if (layers.has("field") && panel.mode !== "x0") {
    const { x, x0 } = now(panel);
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, plane.raster.height);
    context.clip();
    drawField(context, plane, x, x0, ink.value.field);
    context.restore();
  }
  const px = devicePixelRatio;
  if (panel.isTable) {
    const [x, y] = panel.axes.map((at) => columnName(panel.run, at));
    drawScales(
      context,
      plane,
      [x!, panel.trajectory.dim > 1 ? y! : ""],
      ink.value,
      panel.title ? 22 * px : 0,
    );
  }
  if (panel.title) {
    context.fillStyle = ink.value.text;
    context.font = `${Math.round(13 * px)}px system-ui, sans-serif`;
    context.fillText(panel.title, from + 14 * px, 22 * px, to - from - 28 * px);
  }
}

/** The plane for columns from..to of a picture, in device pixels. The square of the data is in their middle, and may be wider. */
function planeIn(raster: Raster, from: number, to: number, bounds: Bounds): Plane {
  const { height } = raster;
  const size = Math.min((to - from) / bounds.wide, height / bounds.tall);
  const left = (from + to - size) / 2;
  return { raster, clip: { from, to }, size, left, top: (height - size) / 2, bounds };
}

let raster: Raster | undefined;

/** An empty picture of the canvas's size. It reuses that of the previous frame if it fits. */
function emptyRaster({ width, height }: HTMLCanvasElement): Raster {
  if (raster?.width === width && raster.height === height) raster.pixels.fill(0);
  else raster = rasterOf(width, height);
  return raster;
}

/** Paints the whole canvas, and returns the planes, which the pointer needs. */
export function repaint(canvas: HTMLCanvasElement): Plane[] {
  if (canvas.width === 0 || canvas.height === 0) return [];
  const context = canvas.getContext("2d")!;
  const picture = emptyRaster(canvas);
  const layers = new Set(listed("show"));
  const list = panels();
  const width = canvas.width / Math.max(1, list.length);
  const squares = list.map((panel, i) => {
    const plane = planeIn(picture, Math.round(i * width), Math.round((i + 1) * width), boundsFor(panel));
    if (panel.trajectory.dim > 1) paint(plane, panel, layers);
    return plane;
  });
  context.putImageData(picture.image, 0, 0);
  for (const [i, panel] of list.entries()) annotate(context, squares[i]!, panel, layers);
  if (held.value && squares[0]) drawWay(context, squares[0], held.value, position.value, ink.value.accent);
  return squares;
}
