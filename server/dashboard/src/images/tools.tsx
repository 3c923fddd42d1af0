// The toolbar of the stage for a run of images.
import { useSignal } from "@preact/signals";
import { classesOf } from "../data";
import { go, shows, toggle, view } from "../hash";
import { usualOf } from "../inspector/settings";
import { hasModel, job } from "../runs";
import { FullScreen, MODES, Segments } from "../stage/tools";
import { isMoving } from "../tabs";

const MOST_GUIDANCE = 8;

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

export function ImageTools() {
  const run = job.value!;
  const isGuided = classesOf(run).length > 0 && (run.spec.training?.p_uncond ?? 0) > 0;
  const modes = MODES.filter(([name]) => name !== "over");
  const mode = view.value.mode === "over" ? "x" : view.value.mode;
  return (
    <div class="tools" role="toolbar" aria-label="Stage">
      {hasModel(run) && isMoving.value && (
        <Segments legend="Images" options={modes} value={mode} set={(to) => go({ mode: to })} />
      )}
      {hasModel(run) && isGuided && <Guidance usual={usualOf(run)?.guidance ?? 1} />}
      <div class="chips">
        {hasModel(run) && (
          <button
            type="button"
            title="Images of the training data, instead"
            aria-pressed={shows("data")}
            onClick={() => toggle("show", "data")}
          >
            Data
          </button>
        )}
        <FullScreen />
      </div>
    </div>
  );
}
