// One picture of the stage: which ways are shown, in which squares, and what is drawn in each.
import { dataPoints } from "../data";
import { listed, type StageMode, view } from "../hash";
import { position } from "../player";
import { job, jobB, nameOf } from "../runs";
import { ink } from "../theme";
import { held } from "./landing";
import { drawDensity, drawField, drawLines, drawPoints, drawWay, type Plane, type Tint } from "./marks";
import { type Raster, rasterOf } from "./raster";
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
const LINE_ALPHA = 45; // of 255

function tintOf(t: Trajectory, mode: StageMode, layers: Set<string>): Tint {
  if (t.classes) return { colours: ink.value.classes, of: t.classes };
  if (layers.has("hue")) return { colours: ink.value.hues, of: t.hues };
  return { colours: [mode === "x0" ? ink.value.estimate : ink.value.point], of: null };
}

/** The points of a panel at this moment; they share rooms, and last until the next panel asks. */
function now(t: Trajectory): { frame: number; x: Float32Array; x0: Float32Array } {
  const frame = frameAt(t, position.value);
  const [x, x0] = [room(0, t.n), room(1, t.n)];
  interpolate(t, "x", frame, x);
  interpolate(t, "x0", frame, x0);
  return { frame, x, x0 };
}

/** All but the arrows and the words, which the canvas draws. */
function paint(plane: Plane, panel: Panel, layers: Set<string>): void {
  const { trajectory: t, mode } = panel;
  const { frame, x, x0 } = now(t);
  const main = mode === "x0" ? x0 : x;
  const colours = ink.value;
  const tint = tintOf(t, mode, layers);
  const radius = Math.max(1, (plane.size / 420) * (t.n > 3000 ? 1 : 1.5));
  const alpha = colours.cover * (t.n > 3000 ? 0.75 : 1);
  if (layers.has("density")) drawDensity(plane, main, colours.tint);
  if (layers.has("data") && panel.data)
    drawPoints(plane, panel.data, { colours: [colours.data], of: null }, radius * 0.8, 0.5);
  if (layers.has("trails"))
    for (let back = TRAILS; back > 0; back--) {
      const past = room(2, t.n);
      interpolate(t, mode === "x0" ? "x0" : "x", Math.max(0, frame - back * 0.5), past);
      drawPoints(plane, past, tint, radius * 0.7, (0.16 * (TRAILS + 1 - back)) / TRAILS);
    }
  if (layers.has("lines")) drawLines(plane, x, x0, colours.point, LINE_ALPHA);
  if (mode === "over") drawPoints(plane, x0, { colours: [colours.estimate], of: null }, radius, alpha * 0.7);
  drawPoints(plane, main, tint, radius, alpha);
}

/** What lies over the points. */
function annotate(context: CanvasRenderingContext2D, plane: Plane, panel: Panel, layers: Set<string>): void {
  const { from, to } = plane.clip;
  if (layers.has("field") && (panel.mode !== "x0" || view.value.mode === "x0")) {
    const { x, x0 } = now(panel.trajectory);
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, plane.raster.height);
    context.clip();
    drawField(context, plane, x, x0, ink.value.field);
    context.restore();
  }
  if (panel.title) {
    const px = devicePixelRatio;
    context.fillStyle = ink.value.text;
    context.font = `${Math.round(13 * px)}px system-ui, sans-serif`;
    context.fillText(panel.title, from + 14 * px, 22 * px, to - from - 28 * px);
  }
}

/** Columns from..to of a picture, in device pixels, and the square of the data in their middle, which may be wider. */
function planeIn(raster: Raster, from: number, to: number, bounds: Bounds): Plane {
  const { height } = raster;
  const size = Math.min((to - from) / bounds.wide, height / bounds.tall);
  const left = (from + to - size) / 2;
  return { raster, clip: { from, to }, size, left, top: (height - size) / 2, bounds };
}

let raster: Raster | undefined;

/** An empty picture of this size: the one of the frame before, if it fits. */
function emptyRaster({ width, height }: HTMLCanvasElement): Raster {
  if (raster?.width === width && raster.height === height) raster.pixels.fill(0);
  else raster = rasterOf(width, height);
  return raster;
}

/** Paints the whole canvas; returns the squares, for the pointer. */
export function repaint(canvas: HTMLCanvasElement): Plane[] {
  if (canvas.width === 0 || canvas.height === 0) return [];
  const context = canvas.getContext("2d")!;
  const picture = emptyRaster(canvas);
  const layers = new Set(listed("show"));
  const list = panels();
  const width = canvas.width / Math.max(1, list.length);
  const planes = list.map((panel, i) => {
    const plane = planeIn(picture, Math.round(i * width), Math.round((i + 1) * width), boundsFor(panel));
    paint(plane, panel, layers);
    return plane;
  });
  context.putImageData(picture.image, 0, 0);
  for (const [i, panel] of list.entries()) annotate(context, planes[i]!, panel, layers);
  if (held.value && planes[0]) drawWay(context, planes[0], held.value, ink.value.accent);
  return planes;
}
