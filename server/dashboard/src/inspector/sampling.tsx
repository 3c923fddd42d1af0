// The sampling parameters of the run on the stage.
import { useSignalEffect } from "@preact/signals";
import { classesOf, shapeOf, timestepsOf } from "../data";
import { describe, samplerNames } from "../description";
import { go, view } from "../hash";
import { job } from "../runs";
import { isSettled } from "../stage/subject";
import { countOf, mostOf } from "../stage/trajectory";
import { type Usual, usualOf } from "./settings";

function NumberField(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  title?: string;
  set: (value: number) => void;
}) {
  return (
    <label title={props.title}>
      {props.label}
      <input
        type="number"
        min={props.min}
        max={props.max}
        step={props.step ?? 1}
        value={props.value}
        onChange={(event) => {
          const value = Number(event.currentTarget.value);
          if (Number.isFinite(value)) props.set(Math.min(props.max, Math.max(props.min, value)));
        }}
      />
    </label>
  );
}

const LEAST_RATIO = 0.01;
const MOST_RATIO = 10_000; // no limit

function Classes({ names, usual }: { names: string[]; usual: Usual }) {
  const chosen = (name: "guidance" | "guidance_ratio_min" | "guidance_ratio_max") =>
    view.value[name] < 0 ? usual[name] : view.value[name];
  const [guidance, low, high] = [
    chosen("guidance"),
    chosen("guidance_ratio_min"),
    chosen("guidance_ratio_max"),
  ];
  return (
    <>
      <label>
        Class
        <select
          value={String(view.value.class)}
          onChange={(event) => go({ class: Number(event.currentTarget.value) })}
        >
          <option value="-1">all</option>
          {names.map((name, i) => (
            <option key={name} value={String(i)}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <NumberField
        label="Guidance"
        value={guidance}
        min={0}
        max={20}
        step={0.5}
        set={(value) => go({ guidance: value })}
      />
      {guidance !== 0 && guidance !== 1 && (
        <>
          <NumberField
            label="Guided from"
            title="noise/signal at which guidance has an effect at least"
            value={low}
            min={0}
            max={high}
            step={0.1}
            set={(value) => go({ guidance_ratio_min: value })}
          />
          <NumberField
            label="Guided to"
            title="noise/signal at which guidance has an effect at most: without guidance where there is more, images and points vary more"
            value={high}
            min={Math.max(low, LEAST_RATIO)}
            max={MOST_RATIO}
            step={0.1}
            set={(value) => go({ guidance_ratio_max: value })}
          />
        </>
      )}
    </>
  );
}

export function Sampling() {
  useSignalEffect(() => {
    if (isSettled()) void describe().catch(() => undefined);
  });
  const run = job.value!;
  const timesteps = timestepsOf(run);
  const names = classesOf(run);
  const samplers = samplerNames();
  const v = view.value;
  const usual = usualOf(run) ?? {
    ...{ sampler: samplers[0] ?? "ddpm", steps: timesteps },
    ...{ guidance: 1, guidance_ratio_min: 0, guidance_ratio_max: MOST_RATIO },
  };
  const [what, most, count] = [shapeOf(run) ? "Images" : "Points", mostOf(run), countOf(v, run)];
  const isUsual = v.sampler === "" || v.sampler === usual.sampler;
  const usualSteps = isUsual ? usual.steps : timesteps;
  return (
    <fieldset class="sampling">
      <legend>Sampling</legend>
      <label>
        Sampler
        <select
          value={isUsual ? "" : v.sampler}
          onChange={(event) => go({ sampler: event.currentTarget.value })}
        >
          <option value="">{usual.sampler} (default)</option>
          {samplers
            .filter((each) => each !== usual.sampler)
            .map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
        </select>
      </label>
      <NumberField
        label="Steps"
        value={Math.min(v.steps || usualSteps, timesteps)}
        min={1}
        max={timesteps}
        set={(steps) => go({ steps: steps === usualSteps ? 0 : steps })}
      />
      <NumberField label={what} value={count} min={1} max={most} set={(n) => go({ n })} />
      {count === most && (
        <p class="hint">
          The page draws at most {most.toLocaleString("en")} {what.toLowerCase()}. The API allows more.
        </p>
      )}
      <div class="seed">
        <NumberField
          label="Seed"
          value={v.seed}
          min={0}
          max={Number.MAX_SAFE_INTEGER}
          set={(seed) => go({ seed })}
        />
        <button
          type="button"
          aria-label="Another seed"
          title="Another seed (s)"
          onClick={() => go({ seed: v.seed + 1 })}
        >
          ⟳
        </button>
      </div>
      {names.length > 0 && <Classes names={names} usual={usual} />}
      <label title="Keeps each estimate within the range of the training data. Points may then pile up at its edge.">
        Clip x₀
        <input
          type="checkbox"
          checked={v.clip === 1}
          onChange={(event) => go({ clip: event.currentTarget.checked ? 1 : 0 })}
        />
      </label>
    </fieldset>
  );
}
