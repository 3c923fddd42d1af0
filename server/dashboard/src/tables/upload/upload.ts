// What the server understands of the chosen file, what the user has changed of that, and the upload.
import { batch, signal } from "@preact/signals";
import type { components } from "contract";
import { ApiError, type Dataset, getJson, type Query, url } from "../../api";
import { file, labels } from "../../new/choose-file";
import { chooseUpload } from "../../new/form";
import { submit } from "../../runs";

export type Preview = components["schemas"]["DatasetPreview"];
export type Column = components["schemas"]["DatasetColumn"];
export type ColumnType = Column["type"];

/** What the user says about the file. All else is found by the server. */
interface Wishes {
  types: Record<string, ColumnType>; // by the name of the column
  apart: string[]; // columns that are trained on although they follow from others
  label: string | null | undefined; // the column with the classes; null: none; undefined: not said
  header: "auto" | "true" | "false"; // CSV: whether the first row has names
  decimal: "auto" | "point" | "comma";
}
const NOTHING: Wishes = { types: {}, apart: [], label: undefined, header: "auto", decimal: "auto" };

export const wishes = signal<Wishes>(NOTHING);
export const preview = signal<Preview | null>(null);
/** Columns that cannot be used as they are, with the reason. The preview has them as columns that are not trained on. */
export const faults = signal<Record<string, string>>({});
/** Whether the preview is that of the wishes. */
export const isCurrent = signal(false);
export const doing = signal(""); // the current activity, such as "Reading …"
export const trouble = signal<Error | null>(null);

const stem = (name: string): string =>
  name
    .replace(/\.gz$/i, "")
    .replace(/\.[^.]*$/, "")
    .slice(0, 90) || "upload";

function ask<T>(from: File, said: Wishes, query: Query, signal?: AbortSignal): Promise<T> {
  const { types, apart, label, header, decimal } = said;
  const body = new FormData();
  // Without the type that the browser guesses: the server looks at the name and at the first bytes.
  body.append("file", new File([from], from.name));
  if (labels.value) body.append("labels", new File([labels.value], labels.value.name));
  const columns: Record<string, { type?: ColumnType; follows?: null }> = {};
  for (const [name, type] of Object.entries(types)) columns[name] = { type };
  for (const name of apart) columns[name] = { ...columns[name], follows: null };
  if (Object.keys(columns).length > 0 || label !== undefined)
    body.append("schema", JSON.stringify({ columns, label }));
  const reading = {
    header: header === "auto" ? undefined : header,
    decimal: decimal === "auto" ? undefined : decimal,
  };
  const init: RequestInit = { method: "POST", body, ...(signal ? { signal } : {}) };
  return getJson<T>(url("/v1/datasets", { ...query, ...reading }), init);
}

/** The errors of single columns, by name; none if something else is wrong, too. */
export function faultsIn(error: unknown): Record<string, string> {
  const listed = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  const found: Record<string, string> = {};
  for (const { pointer, detail } of listed) {
    const [, name] = /^\/columns\/(.+)$/.exec(pointer) ?? [];
    if (!name) return {};
    found[name.replaceAll("~1", "/").replaceAll("~0", "~")] = detail.replace(/^column ".*?": /, "");
  }
  return found;
}

/** The preview of a file. If single columns are wrong, all others are understood without them. */
async function look(
  from: File,
  said: Wishes,
  signal: AbortSignal,
): Promise<[Preview, Record<string, string>]> {
  const wrong: Record<string, string> = {};
  let first: unknown;
  for (;;) {
    const aside = Object.fromEntries(Object.keys(wrong).map((name) => [name, "id" as const]));
    try {
      const types = { ...said.types, ...aside };
      return [await ask<Preview>(from, { ...said, types }, { validate_only: true }, signal), wrong];
    } catch (error) {
      first ??= error;
      const found = Object.entries(faultsIn(error)).filter(([name]) => !(name in wrong));
      if (found.length === 0) throw first;
      Object.assign(wrong, Object.fromEntries(found));
    }
  }
}

let seen: File | null = null; // the file that was read last,
let seenLabels: File | null = null; // and its labels
let reading = new AbortController();

async function read(from: File): Promise<void> {
  reading.abort();
  const mine = new AbortController();
  reading = mine;
  batch(() => {
    doing.value = "Reading …";
    trouble.value = null;
    isCurrent.value = false;
  });
  try {
    const [found, wrong] = await look(from, wishes.value, mine.signal);
    if (reading !== mine) return;
    batch(() => {
      preview.value = found;
      faults.value = wrong;
      isCurrent.value = true;
    });
  } catch (error) {
    if (reading === mine) trouble.value = error as Error;
  }
  if (reading === mine) doing.value = "";
}

/** Reads a file, unless it is the one that was read last, with the same labels. */
export function open(chosen: File): void {
  if (chosen === seen && labels.value === seenLabels) return;
  seen = chosen;
  seenLabels = labels.value;
  batch(() => {
    wishes.value = NOTHING;
    preview.value = null;
    faults.value = {};
  });
  void read(chosen);
}

/** Changes something that the user says, and reads the file again. */
export function change(part: Partial<Wishes>): void {
  // Another header gives the columns other names.
  wishes.value = {
    ...wishes.value,
    ...(part.header ? { types: {}, apart: [], label: undefined } : {}),
    ...part,
  };
  if (seen) void read(seen);
}

export const setType = (column: string, type: ColumnType): void =>
  change({ types: { ...wishes.value.types, [column]: type } });

/** Leaves columns out of what is trained on. */
export const leaveOut = (columns: string[]): void =>
  change({
    types: { ...wishes.value.types, ...Object.fromEntries(columns.map((name) => [name, "id" as const])) },
  });

/** Trains on a column that follows from another one, or fills it in again. */
export const setApart = (column: string, apart: boolean): void =>
  change({ apart: [...wishes.value.apart.filter((name) => name !== column), ...(apart ? [column] : [])] });

/** The last upload, so that a second attempt does not send the file again. */
let sent: { from: File | null; labels: File | null; key: string; id: string } = {
  from: null,
  labels: null,
  key: "",
  id: "",
};

async function upload(from: File): Promise<string> {
  const key = JSON.stringify(wishes.value);
  const mine = labels.value;
  if (sent.from === from && sent.labels === mine && sent.key === key) return sent.id;
  const { id } = await ask<Dataset>(from, wishes.value, { name: stem(from.name) });
  if (file.value === from && labels.value === mine) sent = { from, labels: mine, key, id };
  return id;
}

/** Uploads the file, and then calls `next` unless the user has chosen another file meanwhile. */
async function send(next: (id: string, from: File) => unknown): Promise<void> {
  const from = file.value!;
  doing.value = "Uploading the file …";
  trouble.value = null;
  try {
    const id = await upload(from);
    if (file.value === from) await next(id, from);
  } catch (error) {
    if (file.value === from) trouble.value = error as Error;
  }
  if (file.value === from) doing.value = "";
}

export const trainOnFile = (): Promise<void> =>
  send((id, from) => submit({ name: stem(from.name), dataset: { id } }));

/** Uploads the file, and opens the form with all options. */
export const toForm = (): Promise<void> => send(chooseUpload);
