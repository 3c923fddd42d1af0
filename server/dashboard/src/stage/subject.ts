// The subject of the stage: the trajectories that the view requires, loaded again when the view or a model changes.
import { effect, signal } from "@preact/signals";
import { ApiError, type Job, keyState, type Pattern } from "../api";
import { loadData, type Source, sourcesOf } from "../data";
import { connection } from "../events";
import { DRAWN, go, type View, view } from "../hash";
import { calm, play, position } from "../player";
import { hasModel, job, jobB, jobs, loaded, onCheckpoint } from "../runs";
import { isMoving, kind, kindOf } from "../tabs";
import { loadColumns } from "./axes";
import { held, landingError, release } from "./landing";
import { loadProcess, loadReverse, type Trajectory, wayOf } from "./trajectory";

export const shown = signal<Trajectory | null>(null);
export const shownB = signal<Trajectory | null>(null);
export const stageError = signal("");

/** Whether the picture still belongs to another view, because the required one is being loaded or has failed. */
export const stale = signal(false);

/** Whether a run of images has no model yet, so that the stage shows its data. */
const isDataShown = () =>
  kind.value === "images" && !hasModel(job.value) && wayOf(job.value!, view.value) === "";

/** Whether the picture has been loaded or has failed. What is less important than the picture waits for this. */
export const isSettled = (): boolean =>
  shown.value !== null || stageError.value !== "" || !isMoving.value || isDataShown();

/** The data set that dissolves on the stage while there are no runs. */
export const preview = signal<Pattern>("spiral");

interface Wish {
  key: string;
  live: boolean; // whether it changes with the next checkpoint
  load: (signal: AbortSignal) => Promise<Trajectory>;
}

/** The parts of the view that the trajectory depends on; position, layers and mode only redraw it. */
const drawn = (v: View) => [v.n, ...DRAWN.map((name) => v[name])].join("/");

function ofProcess(process: "forward" | "optimal", sources: Source[], run: Job | undefined, v: View): Wish {
  return {
    key: [process, v.n, v.seed, ...sources.map((each) => each.id), run?.id].join("/"),
    live: false,
    load: (signal) => loadProcess(process, sources, run, v, signal),
  };
}

/** What to show of a run: the trajectories of its model, or what does not need a model. */
function wishOf(run: Job | undefined, v: View, epoch: number): Wish | null {
  if (!run || !isMoving.value) return null;
  const way = wayOf(run, v);
  if (way) return ofProcess(way, sourcesOf(run), run, v);
  if (kindOf(run) === "images" && !hasModel(run)) return null; // the stage shows the data
  if (!hasModel(run)) return ofProcess("forward", sourcesOf(run), run, v);
  return {
    key: [run.id, epoch, drawn(v)].join("/"),
    live: epoch === 0,
    load: (signal) => loadReverse(run, { ...v, epoch }, signal),
  };
}

function wishA(): Wish | null {
  if (!loaded.value || (keyState.value !== "none" && !job.value)) return null;
  if (job.value || jobs.value.length > 0) return wishOf(job.value, view.value, view.value.epoch);
  const { value: id } = preview;
  return ofProcess(
    "forward",
    [{ id, label: id, upload: false, classes: null, n: 0, seed: 0 }],
    undefined,
    view.value,
  );
}

/** Points and images do not fit beside each other. */
const wishB = (): Wish | null =>
  jobB.value && (kindOf(jobB.value) === "images") === (kind.value === "images")
    ? wishOf(jobB.value, view.value, 0)
    : null;

const HALF_WAY = 0.35; // a position where the data is noisy, but still recognizable

/** Starts the animation of a new picture. For users who prefer no motion, it shows a still picture instead. */
function begin(t: Trajectory): void {
  if (!calm.matches) play(true);
  else if (t.home === 0) position.value = HALF_WAY;
}

/** Whether a request failed because the run has no checkpoint of this epoch. */
const isWithoutEpoch = (error: unknown): boolean =>
  view.value.epoch > 0 &&
  error instanceof ApiError &&
  (error.problem.errors?.some((each) => each.pointer === "/epoch") ?? false);

/** Loads what `wish` returns into `target`, whenever it changes. */
function keep(target: typeof shown, wish: () => Wish | null, id: () => string): void {
  let stop: AbortController | undefined;
  let wanted: Wish | null = null;
  let busy = false;
  let again = false; // whether there has been a checkpoint meanwhile
  let failed = false;
  let loadedKey = ""; // of the wish that `target` fulfills

  const load = async (what: Wish) => {
    stop?.abort();
    stop = new AbortController();
    const { signal: aborted } = stop;
    busy = true;
    again = false;
    try {
      const fresh = await what.load(aborted);
      if (wanted?.key !== what.key) return;
      const isNew = target.value?.key !== fresh.key;
      target.value = fresh;
      loadedKey = what.key;
      failed = false;
      stageError.value = "";
      held.value = null;
      landingError.value = "";
      if (target === shown) stale.value = false;
      if (isNew && target === shown && position.value >= 1) begin(fresh);
    } catch (error) {
      if (aborted.aborted) return;
      failed = true;
      if (target.value && loadedKey === what.key) return; // the picture is only older than it could be
      if (isWithoutEpoch(error)) {
        go({ epoch: 0 });
        return;
      }
      // While the connection is lost or the database away, the old picture stays.
      if (error instanceof ApiError && !error.isAbsence) target.value = null;
      stageError.value = (error as Error).message;
    } finally {
      if (stop?.signal === aborted) {
        busy = false;
        if (again && wanted?.live) void load(wanted);
      }
    }
  };
  effect(() => {
    const what = wish();
    if (what?.key === wanted?.key) return;
    wanted = what;
    if (target === shown) {
      stale.value = what !== null;
      release();
    }
    if (what) void load(what);
    else {
      stop?.abort();
      target.value = null;
      stageError.value = "";
    }
  });
  effect(() => {
    if (connection.value === "live" && wanted && failed) void load(wanted);
  });
  onCheckpoint.add((which) => {
    if (which !== id() || !wanted?.live) return;
    if (busy) again = true;
    else void load(wanted);
  });
}

keep(shown, wishA, () => view.value.job);
keep(shownB, wishB, () => view.value.b);

effect(() => {
  for (const run of [job.value, jobB.value])
    if (run && kindOf(run) !== "images") {
      void loadData(run);
      loadColumns(run);
    }
});
