// The toolbar of the stage: the process, the points or their estimate, the columns on the axes, and the layers.
import { classesOf } from "../data";
import { go, type Process, type StageMode, shows, toggle, view } from "../hash";
import { job } from "../runs";
import { axesOf, columnName, setAxis } from "./axes";
import { shown } from "./subject";

export const PROCESSES: [Process, string, string][] = [
  ["", "Model", "From noise to data with the model"],
  ["forward", "Forward", "The data turning into noise"],
  ["optimal", "Nearest point", "Straight paths from noise to the nearest data point"],
];
export const MODES: [StageMode, string, string][] = [
  ["x", "x", "The points at each step"],
  ["x0", "x₀", "The model's estimate of where the points will end"],
  ["both", "x | x₀", "Side by side"],
  ["over", "x + x₀", "One on top of the other"],
];

interface Layer {
  name: string;
  label: string;
  key: string;
  doc: string;
  /** The reason why the layer is not available now; "" if it is. */
  hidden: () => string;
}

const isLine = () => (shown.value?.dim === 1 ? "A single column is shown as a histogram" : "");
const isEstimate = () => (view.value.mode === "x0" ? "Only available while the points x are shown" : "");
const hasClasses = () => (job.value && classesOf(job.value).length > 0 ? "The colors show the classes" : "");

const LAYERS: Layer[] = [
  {
    name: "hue",
    label: "Color by angle",
    key: "h",
    doc: "Color the points by the direction in which they end",
    hidden: () => hasClasses() || isLine(),
  },
  { name: "density", label: "Density", key: "", doc: "The density of the points", hidden: isLine },
  {
    name: "field",
    label: "Field",
    key: "f",
    doc: "The average motion of the points",
    hidden: () => isEstimate() || isLine(),
  },
  {
    name: "lines",
    label: "Lines",
    key: "l",
    doc: "From each point to its estimate",
    hidden: () => isEstimate() || isLine(),
  },
  { name: "trails", label: "Trails", key: "", doc: "The path of each point so far", hidden: isLine },
  { name: "data", label: "Data", key: "", doc: "The training data, behind the points", hidden: isLine },
];

export function Segments<T extends string>(props: {
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

/** The choice of the two columns on the axes. */
function AxisChoice({ dim }: { dim: number }) {
  const axes = axesOf(dim);
  const columns = Array.from({ length: dim }, (_, at) => columnName(job.value, at));
  return (
    <fieldset class="axes">
      <legend class="sr-only">Columns on the axes</legend>
      {([0, 1] as const).map((side) => (
        <label key={side}>
          {side === 0 ? "→" : "↑"}
          <select
            aria-label={side === 0 ? "Column along the horizontal axis" : "Column along the vertical axis"}
            value={String(axes[side])}
            onChange={(event) => setAxis(dim, side, Number(event.currentTarget.value))}
          >
            {columns.map((name, at) => (
              <option key={name} value={String(at)}>
                {name}
              </option>
            ))}
          </select>
        </label>
      ))}
    </fieldset>
  );
}

export const FullScreen = () => (
  <button
    type="button"
    class="full"
    aria-label="Full screen"
    title="Full screen (F)"
    aria-pressed={view.value.full === 1}
    onClick={() => go({ full: view.value.full ? 0 : 1 }, true)}
  >
    <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4" />
    </svg>
  </button>
);

/** Selects a process. The nearest points need the layer of lines to be understood. */
function choose(process: Process): void {
  go({ process, epoch: 0 });
  if (process === "optimal" && !shows("lines")) toggle("show", "lines");
}

export function StageTools() {
  if (!job.value) return null;
  const dim = shown.value?.dim ?? 2;
  return (
    <div class="tools" role="toolbar" aria-label="Stage">
      <Segments legend="Process" options={PROCESSES} value={view.value.process} set={choose} />
      <Segments legend="Points" options={MODES} value={view.value.mode} set={(mode) => go({ mode })} />
      {dim > 2 && <AxisChoice dim={dim} />}
      <div class="chips">
        {LAYERS.map(({ name, label, key, doc, hidden }) => (
          <button
            key={name}
            type="button"
            title={hidden() || (key ? `${doc} (${key})` : doc)}
            aria-pressed={shows(name)}
            disabled={hidden() !== ""}
            onClick={() => toggle("show", name)}
          >
            {label}
          </button>
        ))}
        <FullScreen />
      </div>
    </div>
  );
}
