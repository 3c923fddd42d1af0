// The run on the stage: how it is sampled, how good it is, and how to take it along.
import { signal, useSignalEffect } from "@preact/signals";
import { base, getJson, type Schema, url } from "./api";
import { go, view } from "./hash";
import { hasModel, isOver, job, nameOf, notice } from "./runs";
import { shown } from "./stage";
import { sampleQuery } from "./trajectory";

const samplers = signal<string[]>([]);
void getJson<{ components: { schemas: Record<string, Schema> } }>(`${base}/openapi.json`)
  .then((description) => {
    samplers.value = description.components.schemas.SampleRequest?.properties?.sampler?.enum ?? [];
  })
  .catch(() => undefined);

interface Spec {
  dataset: unknown;
  diffusion: { timesteps: number };
}
const specOf = () => job.value?.spec as unknown as Spec | undefined;

/** The classes that a run can be asked for, by name; none for an unconditional one. */
function classes(): string[] {
  const dataset = specOf()?.dataset;
  if (Array.isArray(dataset))
    return dataset.map((each) =>
      typeof each === "string" ? each : ((each as { name?: string }).name ?? "upload"),
    );
  const own = (dataset as { classes?: string[] | number } | undefined)?.classes;
  if (Array.isArray(own)) return own;
  return typeof own === "number" && own > 1 ? Array.from({ length: own }, (_, i) => String(i)) : [];
}

function NumberField(props: {
  label: string;
  value: number;
  min: number;
  max: number;
  step?: number;
  set: (value: number) => void;
}) {
  return (
    <label class="number">
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

function Sampling() {
  const timesteps = specOf()?.diffusion.timesteps ?? 1;
  const names = classes();
  const v = view.value;
  return (
    <fieldset class="sampling">
      <legend>Sampling</legend>
      <label>
        sampler
        <select value={v.sampler} onChange={(event) => go({ sampler: event.currentTarget.value })}>
          <option value="">{samplers.value[0] ?? "ddpm"} (default)</option>
          {samplers.value.slice(1).map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      </label>
      <NumberField
        label="steps"
        value={v.steps || timesteps}
        min={1}
        max={timesteps}
        set={(steps) => go({ steps: steps === timesteps ? 0 : steps })}
      />
      <NumberField label="points" value={v.n} min={1} max={20000} set={(n) => go({ n })} />
      <div class="seed">
        <NumberField
          label="seed"
          value={v.seed}
          min={0}
          max={Number.MAX_SAFE_INTEGER}
          set={(seed) => go({ seed })}
        />
        <button
          type="button"
          aria-label="another seed"
          title="another seed"
          onClick={() => go({ seed: v.seed + 1 })}
        >
          ⟳
        </button>
      </div>
      {names.length > 0 && (
        <>
          <label>
            class
            <select
              value={String(v.label)}
              onChange={(event) => go({ label: Number(event.currentTarget.value) })}
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
            label="guidance"
            value={v.guidance}
            min={0}
            max={20}
            step={0.5}
            set={(guidance) => go({ guidance })}
          />
        </>
      )}
    </fieldset>
  );
}

interface Metric {
  value?: number | null;
  mean?: number | null;
  floor?: number | null;
}
const evaluation = signal<{ id: string; metrics: Record<string, Metric> } | null>(null);

const WORTH: [string, string][] = [
  ["curve_distance", "distance to the curve"],
  ["energy_distance", "energy distance"],
  ["sliced_wasserstein", "sliced Wasserstein"],
  ["wasserstein", "Wasserstein-2"],
  ["chamfer", "Chamfer"],
  ["mmd", "MMD"],
  ["coverage", "coverage"],
];

function Quality() {
  useSignalEffect(() => {
    const run = job.value;
    if (!run || !isOver(run) || !hasModel(run) || evaluation.peek()?.id === run.id) return;
    getJson<{ metrics: Record<string, Metric> }>(url(`/v1/models/${run.id}/evaluation`))
      .then((answer) => {
        if (job.peek()?.id === run.id) evaluation.value = { id: run.id, metrics: answer.metrics };
      })
      .catch(() => undefined);
  });
  const known = evaluation.value;
  if (!known || known.id !== job.value?.id) return null;
  const rows = WORTH.flatMap(([name, label]) => {
    const metric = known.metrics[name];
    const value = metric?.value ?? metric?.mean;
    return value === null || value === undefined ? [] : [{ name, label, value, floor: metric?.floor }];
  });
  return (
    <table class="quality">
      <caption>Quality, next to what two draws of the data score</caption>
      <thead>
        <tr>
          <th scope="col">metric</th>
          <th scope="col">model</th>
          <th scope="col">floor</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name}>
            <th scope="row">{row.label}</th>
            <td>{row.value.toPrecision(3)}</td>
            <td>{typeof row.floor === "number" ? row.floor.toPrecision(3) : "–"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Exports() {
  const id = job.value!.id;
  const samples = sampleQuery(view.value, false);
  const way = { ...sampleQuery(view.value), n: Math.min(view.value.n, 1000), frames: 41 };
  const model = `/v1/models/${id}`;
  const list: [string, string, string][] = [
    ["GIF", url(`${model}/trajectories.gif`, way), "the animation"],
    ["PNG", url(`${model}/samples.png`, samples), "the points as a picture"],
    ["SVG", url(`${model}/samples.svg`, samples), "the same, scalable"],
    ["CSV", url(`${model}/samples.csv`, samples), "the points as a table"],
    ["npy", url(`${model}/samples.npy`, samples), "the points for numpy"],
    ["safetensors", url(`${model}/weights.safetensors`), "the weights"],
    ["loss SVG", url(`/v1/jobs/${id}/history.svg`), "the loss as a picture"],
  ];
  return (
    <fieldset class="exports">
      <legend>Take it along</legend>
      {list.map(([label, href, doc]) => (
        <a
          key={label}
          id={`export-${label.replace(" ", "-")}`}
          href={href}
          title={doc}
          target="_blank"
          rel="noreferrer"
        >
          {label}
        </a>
      ))}
    </fieldset>
  );
}

/** The curl command for what is on screen. */
export function curl(): string {
  const run = job.value;
  if (!run) return `curl -s '${base}/v1/jobs'`;
  return `curl -s '${url(`/v1/models/${run.id}/trajectories`, sampleQuery(view.value))}'`;
}

/** Copies text, also on plain HTTP, where browsers offer no clipboard. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  notice.value = "copied";
}

export function CurlDrawer() {
  const commands: [string, string][] = [["what is on the stage", curl()]];
  const run = job.value;
  if (run) {
    const spec = JSON.stringify(run.spec);
    commands.push(
      ["the run again", `curl -s '${base}/v1/jobs' -H 'Content-Type: application/json' -d '${spec}'`],
      [
        "its points in the terminal",
        `curl -s '${url(`/v1/models/${run.id}/samples.txt`, { seed: view.value.seed })}'`,
      ],
      ["its loss, live", `curl -sN '${base}/v1/jobs/${run.id}/events'`],
    );
  }
  return (
    <section class="curl" aria-label="as curl commands">
      {commands.map(([label, text]) => (
        <div key={label}>
          <span>{label}</span>
          <input type="text" readOnly aria-label={label} value={text} />
          <button type="button" onClick={() => void copy(text)}>
            Copy
          </button>
        </div>
      ))}
    </section>
  );
}

export function Inspector() {
  const run = job.value;
  if (!run) return null;
  return (
    <section class="inspector" aria-labelledby="inspector-title">
      <h2 id="inspector-title">{nameOf(run)}</h2>
      {run.status === "failed" && run.error && (
        <p class="error" role="alert">
          {run.error.detail}
        </p>
      )}
      {hasModel(run) && <Sampling />}
      {shown.value?.evaluations && (
        <p class="hint">{shown.value.evaluations} evaluations of the network a point</p>
      )}
      {hasModel(run) && (
        <button type="button" title="key c" onClick={() => go({ panel: "samplers" }, true)}>
          Compare samplers
        </button>
      )}
      <Quality />
      {hasModel(run) && <Exports />}
    </section>
  );
}
