// The toolbar of the stage for a run of images.
import { useSignal } from "@preact/signals";
import { classesOf } from "../data";
import { go, type Process, shows, toggle, view } from "../hash";
import { usualOf } from "../inspector/settings";
import { hasModel, job } from "../runs";
import { FullScreen, MODES, PROCESSES, Segments } from "../stage/tools";
import { wayOf } from "../stage/trajectory";
import { isMoving } from "../tabs";
import { isDataWanted } from "./pictures";

const MOST_GUIDANCE = 8;
const WAYS = PROCESSES.filter(([name]) => name !== "optimal"); // images have no nearest point

/** The slider redraws the images when it is let go: from the same noise, because the seed stays. */
function Guidance({ usual }: { usual: number }) {
  const moving = useSignal<number | null>(null);
  const value = moving.value ?? (view.value.guidance < 0 ? usual : view.value.guidance);
  return (
    <label class="guidance" title="How strongly the class is followed. The noise stays the same.">
      Guidance
      <input
        type="range"
        min="0"
        max={Math.max(MOST_GUIDANCE, value)}
        step="0.5"
        value={value}
        onInput={(event) => {
          moving.value = Number(event.currentTarget.value);
        }}
        onChange={(event) => {
          moving.value = null;
          go({ guidance: Number(event.currentTarget.value) });
        }}
      />
      <output>{value}</output>
    </label>
  );
}

/** Selects a process. The forward process is that of the data, which need not be shown instead then. */
function choose(process: Process): void {
  go({ process, epoch: 0 });
  if (process === "forward" && shows("data")) toggle("show", "data");
}

/** Switches between the data and the model, which the forward process is not. */
function toggleData(): void {
  if (wayOf(job.value!, view.value)) go({ process: "" });
  toggle("show", "data");
}

/** The chip for the noise that all classes share. */
function SharedNoise() {
  return (
    <button
      type="button"
      title="All classes come from the same noises: only the class and the guidance differ"
      aria-pressed={!view.value.own}
      onClick={() => go({ own: view.value.own ? 0 : 1 })}
    >
      Same noise
    </button>
  );
}

export function ImageTools() {
  const run = job.value!;
  const isForward = isMoving.value && wayOf(run, view.value) !== "";
  const hasSamples = hasModel(run) && !isForward;
  const isGuided = classesOf(run).length > 0 && (run.spec.training?.p_uncond ?? 0) > 0;
  const canShare = classesOf(run).length > 1 && view.value.class < 0;
  const modes = MODES.filter(([name]) => name !== "over");
  const mode = view.value.mode === "over" ? "x" : view.value.mode;
  return (
    <div class="tools" role="toolbar" aria-label="Stage">
      {isMoving.value && (
        <Segments legend="Process" options={WAYS} value={wayOf(run, view.value)} set={choose} />
      )}
      {hasSamples && isMoving.value && (
        <Segments legend="Images" options={modes} value={mode} set={(to) => go({ mode: to })} />
      )}
      {hasSamples && isGuided && <Guidance usual={usualOf(run)?.guidance ?? 1} />}
      <div class="chips">
        {hasSamples && canShare && <SharedNoise />}
        {hasModel(run) && (
          <button
            type="button"
            title="Images of the training data, instead"
            aria-pressed={isDataWanted()}
            onClick={toggleData}
          >
            Data
          </button>
        )}
        <FullScreen />
      </div>
    </div>
  );
}
