// Facts about the run on the stage and its training settings, with those marked that differ from its preset.
import { signal, useSignalEffect } from "@preact/signals";
import { getJson, type Job, type JobRequest, keyState, url } from "../api";
import { datasetName, shapeOf, sourcesOf } from "../data";
import { defaultsOf, valuesOf } from "../new/form";
import { labelOf } from "../new/words";
import { nodeNameOf } from "../nodes/nodes";
import { hasModel, job } from "../runs";
import { duration } from "../runs/parts";
import { isSettled } from "../stage/subject";

/** How a run is sampled if nothing else is chosen. */
export interface Usual {
  sampler: string;
  steps: number;
  guidance: number;
  guidance_ratio_min: number;
  guidance_ratio_max: number;
}

interface Facts {
  parameters: number;
  kernels: string;
  sampling: Usual | null;
}
const facts = signal<Record<string, Facts>>({}); // by run
const presets = signal<Record<string, JobRequest>>({}); // by run: the settings of its preset alone, for its data
const asked = new Set<string>();

/** Undefined until it is known. */
export const usualOf = (run: Job): Usual | undefined => facts.value[run.id]?.sampling ?? undefined;

/** Loads something once. If that fails, nothing is marked, and these rows are left out. */
function once(key: string, ask: () => Promise<void>): void {
  if (asked.has(key)) return;
  asked.add(key);
  ask().catch(() => undefined);
}

function load(run: Job): void {
  const { id, spec } = run;
  if (hasModel(run))
    once(`model ${id}`, async () => {
      facts.value = { ...facts.value, [id]: await getJson<Facts>(url(`/v1/models/${id}`)) };
    });
  once(`preset ${id}`, async () => {
    presets.value = { ...presets.value, [id]: await defaultsOf(spec) };
  });
}

interface Row {
  path: string; // "group.field"
  value: string;
  preset: string; // "" if it is the same or unknown
}

const words = (value: unknown): string =>
  typeof value === "number" ? String(+value.toPrecision(6)) : String(value);

function rowsOf(spec: JobRequest, preset: JobRequest | undefined): Row[] {
  const usual = preset && valuesOf(preset);
  return Object.entries(valuesOf(spec))
    .filter(([path]) => path !== "name" && path !== "preset")
    .map(([path, value]) => ({
      path,
      value: words(value),
      preset: usual && usual[path] !== value ? words(usual[path] ?? "none") : "",
    }));
}

const groupOf = ({ path }: Row): string => (path.includes(".") ? path.split(".")[0]! : "");

function date(text: string): string {
  return new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** The facts about a run besides its settings. */
function factsOf(run: Job): [string, string][] {
  const model = facts.value[run.id];
  const seconds = (Date.parse(run.finished_at ?? "") - Date.parse(run.started_at ?? "")) / 1000;
  const sources = sourcesOf(run);
  const points = sources.reduce((sum, each) => sum + each.n, 0);
  const rows: [string, string | undefined][] = [
    ["Data", sources.length > 0 ? datasetName(run) : undefined],
    [shapeOf(run) ? "Images" : "Points", points > 0 ? points.toLocaleString("en") : undefined],
    ["Preset", run.spec.preset],
    ["Epochs", `${run.progress.epoch.toLocaleString("en")} of ${run.progress.epochs.toLocaleString("en")}`],
    ["Steps", run.progress.step.toLocaleString("en")],
    ["Parameters", model?.parameters.toLocaleString("en")],
    ["Instruction set", model?.kernels],
    ["Node", nodeNameOf(run) || undefined],
    ["Created", date(run.created_at)],
    ["Started", run.started_at ? date(run.started_at) : undefined],
    ["Duration", Number.isFinite(seconds) ? duration(seconds) : undefined],
    ["Attempts", run.attempt > 1 ? String(run.attempt) : undefined],
    ["ID", run.id],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== undefined);
}

function Group({ name: group, rows }: { name: string; rows: Row[] }) {
  return (
    <tbody>
      {group && (
        <tr>
          <th scope="rowgroup" colSpan={2} class="group">
            {labelOf(group)}
          </th>
        </tr>
      )}
      {rows.map(({ path, value, preset }) => (
        <tr key={path} class={preset && "changed"}>
          <th scope="row">{labelOf(path)}</th>
          <td>
            {value}
            {preset && <small> preset: {preset}</small>}
          </td>
        </tr>
      ))}
    </tbody>
  );
}

export function Settings() {
  useSignalEffect(() => {
    if (job.value && isSettled() && keyState.value === "none") load(job.value);
  });
  const run = job.value!;
  const rows = rowsOf(run.spec, presets.value[run.id]);
  const groups = [...new Set(rows.map(groupOf))].sort(); // fields outside of any group come first
  const changed = rows.filter((row) => row.preset !== "").length;
  return (
    <>
      <table class="facts">
        <caption>Run</caption>
        <tbody>
          {factsOf(run).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <table class="facts settings">
        <caption>
          Settings
          {changed > 0 && ` — ${changed} differ${changed === 1 ? "s" : ""} from the preset`}
        </caption>
        {groups.map((group) => (
          <Group key={group} name={group} rows={rows.filter((row) => groupOf(row) === group)} />
        ))}
      </table>
    </>
  );
}
