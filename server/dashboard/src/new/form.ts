// What the form of a new run stands for: the chosen data sets, the values, and what the server says of them.
import { signal } from "@preact/signals";
import { ApiError, client, must, postJson, url } from "../api";
import { type Schema, schemas } from "../description";
import { duration } from "../runs/parts";

interface DatasetRow {
  id: string;
  name: string;
  description?: string | null;
  kind?: string;
}
type Values = Record<string, string | boolean>; // by "group.field" or "field"; "" and absent: the preset's value

export const datasets = signal<DatasetRow[]>([]);
export const chosenData = signal<string[]>(["spiral"]); // ids; several make one class each
export const values = signal<Values>({});
export const problems = signal<Record<string, string>>({});
export const plan = signal<{
  spec: Record<string, unknown>;
  steps: number;
  parameters: number;
  estimate?: { memory_bytes: number; seconds: number | null };
  warnings: { code: string; detail: string }[];
} | null>(null);

export async function loadDatasets(): Promise<void> {
  const page = await must(client.GET("/v1/datasets", { params: { query: { limit: 200 } as never } }));
  datasets.value = (page as { items: DatasetRow[] }).items;
}

const builtIn = (id: string) => datasets.value.find((each) => each.id === id)?.kind !== "upload";
const source = (id: string) => (builtIn(id) ? id : { id });

/** The request that the form stands for. */
export function request(): Record<string, unknown> {
  const [first, ...more] = chosenData.value;
  const out: Record<string, unknown> = {
    dataset: more.length > 0 ? chosenData.value.map(source) : source(first ?? "spiral"),
  };
  for (const [path, value] of Object.entries(values.value)) {
    if (value === "") continue;
    const [group, field] = path.includes(".") ? path.split(".") : ["", path];
    const type = field && typeOf(group ?? "", field);
    const read = type === "integer" || type === "number" ? Number(value) : value;
    if (group) {
      out[group] = { ...(out[group] as object | undefined), [field!]: read };
    } else out[field!] = read;
  }
  return out;
}

const fieldOf = (group: string, name: string): Schema | undefined =>
  group
    ? schemas.value.JobRequest?.properties?.[group]?.properties?.[name]
    : schemas.value.JobRequest?.properties?.[name];
const typeOf = (group: string, name: string) => fieldOf(group, name)?.type;

/** ", about 5s, up to 8 MiB of memory": what the training takes. */
export function takes(estimate?: { memory_bytes: number; seconds: number | null }): string {
  if (!estimate) return "";
  const mib = Math.ceil(estimate.memory_bytes / 2 ** 20);
  const memory = mib < 1000 ? `${mib} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
  const time = estimate.seconds === null ? "" : `, about ${duration(estimate.seconds)}`;
  return `${time}, up to ${memory} of memory`;
}

let validation = 0;
/** Asks the server what the job would be, a moment after the last change. */
export function validate(): void {
  clearTimeout(validation);
  validation = window.setTimeout(async () => {
    try {
      const answer = await postJson<{
        spec: Record<string, unknown>;
        steps: number;
        parameters: number;
        warnings: { code: string; detail: string }[];
      }>(url("/v1/jobs", { validate_only: true }), request());
      plan.value = answer;
      problems.value = {};
    } catch (error) {
      const listed = error instanceof ApiError ? (error.problem.errors ?? []) : [];
      problems.value = Object.fromEntries(
        listed.length > 0
          ? listed.map((each) => [each.pointer.slice(1).replace("/", "."), each.detail])
          : [["", (error as Error).message]],
      );
    }
  }, 150);
}

export function set(path: string, value: string | boolean): void {
  values.value = { ...values.value, [path]: value };
  validate();
}

export function choose(id: string, several: boolean): void {
  const now = chosenData.value;
  if (!several) chosenData.value = [id];
  else if (!now.includes(id)) chosenData.value = [...now, id];
  else if (now.length > 1) chosenData.value = now.filter((each) => each !== id);
  validate();
}
