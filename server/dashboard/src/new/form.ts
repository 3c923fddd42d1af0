// The state of the form for a new run: the chosen data sets, the values, and the server's validation of them.
import { signal } from "@preact/signals";
import {
  ApiError,
  client,
  type Dataset,
  type DatasetPart,
  type Estimate,
  type JobRequest,
  must,
  type Pattern,
  postJson,
  url,
  type Validation,
} from "../api";
import { fieldOf, kindOf } from "../description";
import { go } from "../hash";
import { duration } from "../runs/parts";

/** A data set to train on. If there are several, each is a class. */
interface Chosen {
  id: string; // the name of a built-in data set, or the id of an upload
  upload: boolean;
  n?: number | undefined;
  seed?: number | undefined;
}
type Value = string | number | boolean;
type Values = Record<string, Value>; // by "group.field" or "field"; "" or absent: the preset's value

export const datasets = signal<Dataset[]>([]);
export const chosen = signal<Chosen[]>([{ id: "spiral", upload: false }]);
export const values = signal<Values>({});
export const problems = signal<Record<string, string>>({});
export const plan = signal<Validation | null>(null);
/** The complete spec if only the preset and the data are given. */
export const defaults = signal<JobRequest>({});

export async function loadDatasets(): Promise<void> {
  const page = await must(client.GET("/v1/datasets", { params: { query: { limit: 200 } } }));
  datasets.value = page.items;
}

export const titleOf = ({ name }: { name: string | null }): string => {
  const text = (name ?? "upload").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

// ---------------------------------------------------------------- the request

/** An id as the name of a pattern; the server reports names that do not exist. */
const patternOf = (id: string) => id as Pattern;

function partOf({ id, upload, n, seed }: Chosen): DatasetPart {
  const own = { n: values.value["dataset.n"] || n, seed: values.value["dataset.seed"] || seed };
  const given = Object.entries(own).flatMap(([name, value]) =>
    value === undefined || (upload && name === "n") ? [] : [[name, asNumber(value)]],
  );
  if (given.length === 0 && !upload) return patternOf(id);
  return Object.assign(upload ? { id } : { name: patternOf(id) }, Object.fromEntries(given));
}

const asNumber = (value: Value): Value =>
  typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value)) ? Number(value) : value;

function dataset(): NonNullable<JobRequest["dataset"]> {
  const parts = chosen.value.map(partOf);
  return parts.length === 1 ? parts[0]! : parts;
}

/** The request of the form. Text in a number field is sent as it is, because the server's error then appears beside the field. */
export function request(): JobRequest {
  const groups: Record<string, Record<string, Value | Value[]>> = {};
  const top: Record<string, Value | Value[]> = {};
  for (const [path, value] of Object.entries(values.value)) {
    if (value === "" || path.startsWith("dataset.")) continue;
    const [group, name] = path.includes(".") ? path.split(".") : ["", path];
    const type = kindOf(fieldOf(group!, name!) ?? {});
    const read =
      type === "array"
        ? String(value).split(",").map(asNumber)
        : type === "integer" || type === "number"
          ? asNumber(value)
          : value;
    if (group) groups[group] = { ...groups[group], [name!]: read };
    else top[name!] = read;
  }
  return Object.assign<JobRequest, object, object>({ dataset: dataset() }, top, groups);
}

// ---------------------------------------------------------------- validation

const validated = (what: JobRequest): Promise<Validation> =>
  postJson<Validation>(url("/v1/jobs", { validate_only: true }), what);

const known = new Map<string, Promise<JobRequest>>();

/** The complete spec of a job of which only the preset and the data are given. */
export function defaultsOf({ preset, dataset: data }: JobRequest): Promise<JobRequest> {
  const what = Object.assign(preset ? { preset } : {}, data ? { dataset: data } : {});
  const key = JSON.stringify(what);
  let found = known.get(key);
  if (!found) {
    found = validated(what).then(({ spec }) => spec);
    found.catch(() => known.delete(key));
    known.set(key, found);
  }
  return found;
}

/** Turns "/training/epochs" into "training.epochs", and an item of a list into the list. A data set matches no field. */
const pathOf = (pointer: string): string => pointer.split("/").slice(1, 3).join(".");

/** Stores the errors of a request, by field. */
export function explain(error: Error): void {
  const listed = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  problems.value =
    listed.length > 0
      ? Object.fromEntries(listed.map((each) => [pathOf(each.pointer), each.detail]))
      : { "": error.message };
}

let asked = 0; // counts the requests; responses to earlier ones are ignored

async function ask(): Promise<void> {
  const what = request();
  asked++;
  const mine = asked;
  try {
    const answer = await validated(what);
    const usual = await defaultsOf(what);
    if (mine !== asked) return;
    defaults.value = usual;
    plan.value = answer;
    problems.value = {};
  } catch (error) {
    if (mine === asked) explain(error as Error);
  }
}

let validation = 0;
/** Validates the form on the server, a moment after the last change. */
export function validate(): void {
  clearTimeout(validation);
  validation = window.setTimeout(() => void ask(), 150);
}

/** "12,800 steps, 8,642 parameters, about 4 s, up to 8 MiB of memory". */
export function summaryOf({ steps, parameters, estimate }: Validation): string {
  const counted = (n: number, what: string) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
  return [counted(steps, "step"), counted(parameters, "parameter"), ...takes(estimate)].join(", ");
}

function takes({ seconds, memory_bytes }: Estimate): string[] {
  const mib = Math.ceil(memory_bytes / 2 ** 20);
  const memory = mib < 1000 ? `${mib} MiB` : `${(mib / 1024).toFixed(1)} GiB`;
  return [...(seconds === null ? [] : [`about ${duration(seconds)}`]), `up to ${memory} of memory`];
}

// ---------------------------------------------------------------- changes

export function set(path: string, value: Value): void {
  values.value = { ...values.value, [path]: value };
  validate();
}

const isUpload = (id: string) => datasets.value.some((each) => each.id === id && each.source === "upload");
const fresh = (id: string): Chosen => ({ id, upload: isUpload(id) });
export const isChosen = (id: string): boolean => chosen.value.some((each) => each.id === id);

/** Selects only this data set. */
export function choose(id: string): void {
  chosen.value = [fresh(id)];
  validate();
}

/** Adds a data set as a class, or removes it, unless it is the last one. */
export function toggleClass(id: string): void {
  const rest = chosen.value.filter((each) => each.id !== id);
  if (rest.length === chosen.value.length) chosen.value = [...rest, fresh(id)];
  else if (rest.length > 0) chosen.value = rest;
  validate();
}

/** Opens the form with an uploaded data set. */
export function chooseUpload(id: string): void {
  chosen.value = [{ id, upload: true }];
  go({ panel: "new" }, true);
}

/** A data set of a job, as the form holds it. If its seed is the job's, it keeps following the job's. */
function chosenOf(part: DatasetPart, jobSeed: number | undefined): Chosen {
  if (typeof part === "string") return { id: part, upload: false };
  const seed = part.seed === jobSeed ? undefined : part.seed;
  if ("id" in part) return { id: part.id, upload: true, seed };
  return { id: part.name ?? "spiral", upload: false, n: part.n, seed };
}

/** The fields of a spec as the form holds them. */
export function valuesOf(spec: JobRequest): Values {
  const out: Values = {};
  for (const [name, value] of Object.entries(spec)) {
    if (name === "dataset" || value === null || value === undefined) continue;
    if (typeof value !== "object") out[name] = value;
    else
      for (const [field, inner] of Object.entries(value))
        out[`${name}.${field}`] = Array.isArray(inner) ? inner.join(", ") : inner;
  }
  return out;
}

/** The values of a spec that differ from those of its preset. */
export function differences(spec: JobRequest, preset: JobRequest): Values {
  const usual = valuesOf(preset);
  return Object.fromEntries(Object.entries(valuesOf(spec)).filter(([path, value]) => usual[path] !== value));
}

/** Opens the form with the spec of a run. Only values that differ from its preset are filled in. */
export async function openForm(spec: JobRequest): Promise<void> {
  const parts = Array.isArray(spec.dataset) ? spec.dataset : [spec.dataset ?? "spiral"];
  chosen.value = parts.map((part) => chosenOf(part, spec.seed));
  const preset = spec.preset ?? "default";
  const given = await defaultsOf({ preset, dataset: spec.dataset ?? "spiral" }).then(
    (usual) => differences(spec, usual),
    () => valuesOf(spec), // if its data set was deleted, the form shows that error
  );
  values.value = { ...given, preset };
  go({ panel: "new" }, true);
}
