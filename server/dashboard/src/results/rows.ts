// The rows of the run on the stage: those of its data set, and some that its model draws.
import { computed, signal } from "@preact/signals";
import { type Dataset, getJson, type Job, type Model, type Query, url } from "../api";
import { sourcesOf } from "../data";
import { view } from "../hash";
import { hasModel, job, onCheckpoint } from "../runs";
import { sampleQuery } from "../stage/trajectory";
import { kind, tab } from "../tabs";
import { resource } from "./resource";
import type { Cell } from "./values";

export type Column = Pick<
  Dataset["columns"][number],
  "name" | "type" | "format" | "step" | "levels" | "min" | "max" | "missing" | "follows"
>;

/** Some rows, column by column. */
export interface Sheet {
  n: number;
  cells: Map<string, Cell[]>; // by the name of the column; the labels are among them
}

interface Answer {
  n: number;
  columns?: string[];
  points: Cell[][];
  labels: string[] | null;
}

function sheetOf({ n, columns = [], points, labels }: Answer, label: string): Sheet {
  const cells = new Map(columns.map((name, j) => [name, points.map((row) => row[j] ?? null)]));
  if (labels) cells.set(label, labels);
  return { n, cells };
}

/** The data set of a run of a table; "" for an imported model that does not know it. */
export const datasetOf = (run: Job | undefined): string => (run && sourcesOf(run)[0]?.id) || "";

const reading = computed<Job | undefined>(() =>
  kind.value === "table" && tab.value !== "animation" ? job.value : undefined,
);

const description = resource<Dataset>(() => {
  const id = datasetOf(reading.value);
  return id
    ? {
        ...{ of: id, key: id, round: 0 },
        load: (signal) => getJson<Dataset>(url(`/v1/datasets/${id}`), { signal }),
      }
    : null;
});
/** What the server says of the data set; null until it is loaded, and if the data set no longer exists. */
export const dataset = description.value;

const modelDescription = resource<Model>(() => {
  const run = reading.value;
  return run && hasModel(run)
    ? {
        ...{ of: run.id, key: run.id, round: 0 },
        load: (signal) => getJson<Model>(url(`/v1/models/${run.id}`), { signal }),
      }
    : null;
});

/** What the model says of the table that it was trained on; null if it knows only numbers. */
export const table = computed<Model["table"] | null>(() =>
  modelDescription.value.value?.id === job.value?.id ? (modelDescription.value.value?.table ?? null) : null,
);

const LABEL = "label"; // the name of the labels if their column is not known
export const labelName = computed(() => table.value?.label ?? dataset.value?.label ?? LABEL);

const DRAW = 5000; // maximum number of rows of the data

const dataRows = resource<Sheet>(() => {
  const of = dataset.value;
  if (!of || of.id !== datasetOf(reading.value)) return null;
  return {
    ...{ of: of.id, key: of.id, round: 0 },
    load: async (signal) =>
      sheetOf(
        await getJson<Answer>(url(`/v1/datasets/${of.id}/points`, { n: DRAW, seed: 0 }), { signal }),
        of.label ?? LABEL,
      ),
  };
});
export const data = dataRows.value;

const checkpoints = signal(0);
onCheckpoint.add((id) => {
  if (id === reading.peek()?.id) checkpoints.value++;
});

const MOST = 5000; // maximum number of the model's rows on the charts

const modelRows = resource<Sheet>(() => {
  const run = reading.value;
  const label = labelName.value;
  const isKnown = modelDescription.value.value !== null || modelDescription.error.value !== "";
  if (!run || !hasModel(run) || !isKnown || (tab.value !== "columns" && tab.value !== "pairs")) return null;
  const query: Query = { ...sampleQuery(view.value, run), frames: undefined };
  query.n = Math.min(MOST, view.value.n);
  return {
    ...{ of: run.id, key: JSON.stringify([run.id, query, label]) },
    round: view.value.epoch ? 0 : checkpoints.value,
    load: async (signal) =>
      sheetOf(await getJson<Answer>(url(`/v1/models/${run.id}/samples`, query), { signal }), label),
  };
});
export const model = modelRows.value;
export const isDrawing = modelRows.isBusy;

/** Why rows cannot be shown; "" if they can. */
export const trouble = computed(() => modelRows.error.value || dataRows.error.value);

/** A column of which only the model's values are known. */
function guessed(name: string, cells: Cell[]): Column {
  const isNumbers = cells.every((cell) => cell === null || typeof cell === "number");
  return {
    ...{ name, type: isNumbers ? "numeric" : "categorical", format: null, step: null, levels: null },
    ...{ min: null, max: null, missing: 0, follows: null },
  };
}

/** The columns of the table, in the order of the file. */
export const allColumns = computed<Column[]>(() => {
  const ofData = dataset.value?.id === datasetOf(job.value) ? dataset.value?.columns : undefined;
  const known = table.value?.columns ?? ofData;
  return known ?? [...(model.value?.cells ?? [])].map(([name, cells]) => guessed(name, cells));
});

/** Those that have something to compare. */
export const columns = computed<Column[]>(() =>
  allColumns.value.filter(({ type }) => type !== "id" && type !== "constant"),
);
