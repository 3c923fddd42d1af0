// What the stage shows: which way, x or its estimate, and the layers beside the points.
import { go, type Process, type StageMode, shows, toggle, view } from "../hash";
import { job } from "../runs";

const PROCESSES: [Process, string, string][] = [
  ["", "Model", "from noise to data, by the model"],
  ["forward", "Forward", "the data on their way to noise"],
  ["optimal", "Shortest", "noise on the shortest way to the data"],
];
const MODES: [StageMode, string, string][] = [
  ["x", "x", "the points on their way"],
  ["x0", "x₀", "where the model thinks they go"],
  ["both", "x | x₀", "side by side"],
  ["over", "x + x₀", "one over the other"],
];
export const LAYERS: [string, string, string, string][] = [
  ["hue", "Hue", "h", "a colour for each direction in which a point ends"],
  ["density", "Density", "", "how many points are where"],
  ["field", "Field", "f", "where points are moved, on the whole"],
  ["lines", "Lines", "l", "from each point to where it belongs"],
  ["trails", "Trails", "", "where the points come from"],
  ["data", "Data", "", "what the run is trained on, behind"],
];

function Segments<T extends string>(props: {
  legend: string;
  options: [T, string, string][];
  value: T;
  set: (value: T) => void;
}) {
  return (
    <fieldset class="segments">
      <legend class="sr-only">{props.legend}</legend>
      {props.options.map(([value, label, doc]) => (
        <button
          key={value}
          type="button"
          title={doc}
          aria-pressed={props.value === value}
          onClick={() => props.set(value)}
        >
          {label}
        </button>
      ))}
    </fieldset>
  );
}

/** Shortest ways are a picture of their lines. */
function choose(process: Process): void {
  go({ process, epoch: 0 });
  if (process === "optimal" && !shows("lines")) toggle("show", "lines");
}

export function StageTools() {
  if (!job.value) return null;
  return (
    <div class="tools" role="toolbar" aria-label="stage">
      <Segments legend="which way" options={PROCESSES} value={view.value.process} set={choose} />
      <Segments legend="what is shown" options={MODES} value={view.value.mode} set={(mode) => go({ mode })} />
      <div class="chips">
        {LAYERS.map(([layer, label, key, doc]) => (
          <button
            key={layer}
            type="button"
            title={key ? `${doc} (${key})` : doc}
            aria-pressed={shows(layer)}
            onClick={() => toggle("show", layer)}
          >
            {label}
          </button>
        ))}
      </div>
    </div>
  );
}
