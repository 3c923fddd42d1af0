// What the run on the stage was trained with: what differs from its preset first in sight, and what it came to.
import { signal, useSignalEffect } from "@preact/signals";
import { getJson, type Job, keyState, postJson, url } from "../api";
import { datasetName, sourcesOf } from "../data";
import { hasModel, job } from "../runs";
import { duration } from "../runs/parts";

type Settings = Record<string, unknown>;

interface Facts {
  parameters: number;
  kernels: string;
}
const facts = signal<Record<string, Facts>>({}); // by model and epoch
const presets = signal<Record<string, Settings>>({}); // a preset's own settings for a data set, by both
const asked = new Set<string>();

const factsKey = (run: Job) => `${run.id}/${hasModel(run)}`;
const presetOf = (run: Job) => ({ preset: run.spec.preset, dataset: run.spec.dataset });

function once(key: string, ask: () => Promise<void>): void {
  if (asked.has(key)) return;
  asked.add(key);
  ask().catch(() => undefined); // without an answer, nothing is marked, and these lines are left out
}

function load(run: Job): void {
  if (hasModel(run))
    once(factsKey(run), async () => {
      const { parameters, kernels } = await getJson<Facts>(url(`/v1/models/${run.id}`));
      facts.value = { ...facts.value, [factsKey(run)]: { parameters, kernels } };
    });
  const request = presetOf(run);
  const key = JSON.stringify(request);
  once(key, async () => {
    const { spec } = await postJson<{ spec: Settings }>(url("/v1/jobs", { validate_only: true }), request);
    presets.value = { ...presets.value, [key]: spec };
  });
}

interface Row {
  group: string;
  name: string;
  value: string;
  preset: string; // "" if it is the same, or not known
}

const words = (value: unknown): string =>
  typeof value === "number" ? String(+value.toPrecision(6)) : String(value);

function rowsOf(spec: Settings, preset: Settings | undefined): Row[] {
  const rows: Row[] = [];
  const add = (group: string, name: string, value: unknown, standard: unknown) => {
    const differs = preset !== undefined && value !== standard;
    rows.push({ group, name, value: words(value), preset: differs ? words(standard) : "" });
  };
  for (const [name, value] of Object.entries(spec)) {
    if (name === "dataset" || name === "name" || name === "preset") continue;
    if (typeof value !== "object" || value === null) add("", name, value, preset?.[name]);
    else
      for (const [field, inner] of Object.entries(value))
        add(name, field, inner, (preset?.[name] as Settings | undefined)?.[field]);
  }
  return rows;
}

function date(text: string): string {
  return new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** What is known of a run besides its settings. */
function factsOf(run: Job): [string, string][] {
  const model = facts.value[factsKey(run)];
  const seconds = (Date.parse(run.finished_at ?? "") - Date.parse(run.started_at ?? "")) / 1000;
  const sources = sourcesOf(run);
  const points = sources.reduce((sum, each) => sum + each.n, 0);
  const rows: [string, string | undefined][] = [
    ["Data", sources.length > 0 ? datasetName(run) : undefined],
    ["Points", points > 0 ? points.toLocaleString("en") : undefined],
    ["Preset", run.spec.preset],
    ["Epochs", `${run.progress.epoch.toLocaleString("en")} of ${run.progress.epochs.toLocaleString("en")}`],
    ["Steps", run.progress.step.toLocaleString("en")],
    ["Parameters", model?.parameters.toLocaleString("en")],
    ["Kernels", model?.kernels],
    ["Created", date(run.created_at)],
    ["Started", run.started_at ? date(run.started_at) : undefined],
    ["Took", Number.isFinite(seconds) ? duration(seconds) : undefined],
    ["Attempts", run.attempt > 1 ? String(run.attempt) : undefined],
    ["Id", run.id],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== undefined);
}

function Group({ name: group, rows }: { name: string; rows: Row[] }) {
  return (
    <tbody>
      {group && (
        <tr>
          <th scope="rowgroup" colSpan={2} class="group">
            {group}
          </th>
        </tr>
      )}
      {rows.map(({ name, value, preset }) => (
        <tr key={name} class={preset && "changed"}>
          <th scope="row">{name.replaceAll("_", " ")}</th>
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
    if (job.value && keyState.value === "none") load(job.value);
  });
  const run = job.value!;
  const rows = rowsOf(run.spec as Settings, presets.value[JSON.stringify(presetOf(run))]);
  const groups = [...new Set(rows.map((row) => row.group))].sort(); // what is in none comes first
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
          <Group key={group} name={group} rows={rows.filter((row) => row.group === group)} />
        ))}
      </table>
    </>
  );
}
