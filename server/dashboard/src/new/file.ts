// The data file to train on: its content, the chosen columns, and the upload.
import { signal } from "@preact/signals";
import { type Dataset, getJson, type Query, url } from "../api";
import { submit } from "../runs";
import { file } from "./choose-file";
import { chooseUpload } from "./form";
import { type Choice, isAsItIs, propose, type Role, readTable, type Table, writeCsv } from "./table";

export const table = signal<Table | null>(null);
export const choice = signal<Choice>({ roles: [], skip: false });
export const doing = signal(""); // the current activity, such as "Reading …"
export const trouble = signal<Error | null>(null);

/** The file that was read last. */
let seen: File | null = null;

/** Reads the content of a file, unless it is the one that was read last. */
export function read(chosen: File): void {
  if (chosen === seen) return;
  seen = chosen;
  table.value = null;
  trouble.value = null;
  void during(chosen, "Reading …", async () => {
    const content = await readTable(chosen);
    if (file.value !== chosen) return;
    choice.value = propose(content);
    table.value = content;
  });
}

/** Does some work on a file and shows its progress. If the user has chosen another file meanwhile, the outcome is ignored. */
async function during(of: File, what: string, work: () => Promise<void>): Promise<void> {
  doing.value = what;
  trouble.value = null;
  try {
    await work();
  } catch (error) {
    if (file.value === of) trouble.value = error as Error;
  }
  if (file.value === of) doing.value = "";
}

export function setSkip(skip: boolean): void {
  choice.value = { ...choice.value, skip };
  trouble.value = null;
}

/** Changes the role of a column. At most one column is the label. */
export function setRole(at: number, role: Role): void {
  const { columns } = table.value!;
  const without = (each: Role, j: number): Role =>
    each === "label" && role === "label" ? (columns[j]!.type === "number" ? "coordinate" : "out") : each;
  choice.value = {
    ...choice.value,
    roles: choice.value.roles.map((each, j) => (j === at ? role : without(each, j))),
  };
  trouble.value = null;
}

const stem = (name: string): string => name.replace(/\.[^.]*$/, "").slice(0, 90) || "upload";

const TYPES: Record<string, string> = {
  CSV: "text/csv",
  JSON: "application/json",
  NPY: "application/octet-stream",
};

/** The request for the upload: the file as it is, or its chosen columns as CSV. */
async function bodyOf(from: File, what: Table): Promise<{ type: string; query: Query; body: BodyInit }> {
  const { roles } = choice.value;
  const at = roles.indexOf("label");
  if (!isAsItIs(what, choice.value)) {
    const body = await writeCsv(what, choice.value);
    return { type: "text/csv", query: { header: true, label: at < 0 ? undefined : "label" }, body };
  }
  const query: Query = {};
  if (what.kind === "CSV") query.header = what.names !== null;
  if (what.kind !== "JSON" && at >= 0) query.label = what.names?.[at] || at;
  return { type: TYPES[what.kind]!, query, body: from };
}

/** The last upload, so that a second attempt does not send the file again. */
let sent: { from: File | null; key: string; id: string } = { from: null, key: "", id: "" };

async function upload(from: File): Promise<string> {
  const key = JSON.stringify(choice.value);
  if (sent.from === from && sent.key === key) return sent.id;
  const { type, query, body } = await bodyOf(from, table.value!);
  const { id } = await getJson<Dataset>(url("/v1/datasets", { name: stem(from.name), ...query }), {
    method: "POST",
    headers: { "Content-Type": type },
    body,
  });
  if (file.value === from) sent = { from, key, id };
  return id;
}

/** Uploads the chosen file, and then calls `next` unless the user has chosen another file meanwhile. */
async function send(next: (id: string, from: File) => unknown): Promise<void> {
  const from = file.value!;
  await during(from, "Uploading the file …", async () => {
    const id = await upload(from);
    if (file.value === from) await next(id, from);
  });
}

export const trainOnFile = (): Promise<void> =>
  send((id, from) => submit({ name: stem(from.name), dataset: { id } }));

/** Uploads the file, and opens the form with all options. */
export const toForm = (): Promise<void> => send(chooseUpload);
