// Reads a data file before the upload, to show its columns, propose what each is used for, and leave out what the server could not
// read. The server checks the file again.
import { type Delimiter, delimiterOf, firstRows, lineOf, numberIn, rowsOf } from "./csv";
import { isNpy, openNpy } from "./npy";

export type Role = "coordinate" | "label" | "out";

export interface Column {
  name: string;
  type: "number" | "text" | "empty";
  missing: number; // cells in the examined rows that are empty or not of the column's type
  distinct: number;
  examples: string[];
  role: Role; // the proposed role
  why: string; // the reason for leaving it out
}

export interface Table {
  kind: string; // "CSV", "NPY", ..
  names: string[] | null; // null: the file has none
  columns: Column[];
  head: string[][];
  count: number; // rows in all
  isExact: boolean; // false: `count` was estimated from the head
  /** All rows of the file, without its header. */
  rows(): Promise<Iterable<string[]>>;
  /** The number in a cell, with a decimal point; null if the cell is not a number. */
  number(cell: string): string | null;
  /** Whether the server can read the file as it is; otherwise it is converted to CSV. */
  isPlain: boolean;
}

export const MOST_CLASSES = 64;
export const MOST_COORDINATES = 64;
const LOOK_AT = 1000; // number of rows to examine
const EXAMPLES = 4;
const OTHERS = 0.2; // share of cells in a column of numbers that may be something else

const isMissing = (cell: string) =>
  /^([+-]?(nan|inf|infinity)|na|n\/a|null|none|[?.*-]|)$/i.test(cell.trim());

/** Whether the cells are row numbers, which increase by one from row to row. */
function isCounter(cells: string[]): boolean {
  const first = Number(cells[0]);
  return (
    (first === 0 || first === 1) && cells.length > 2 && cells.every((cell, i) => Number(cell) === first + i)
  );
}

function typeOf(cells: string[], number: Table["number"]): Column["type"] {
  const given = cells.filter((cell) => !isMissing(cell));
  if (given.length === 0) return "empty";
  const numbers = given.filter((cell) => number(cell) !== null).length;
  return numbers >= (1 - OTHERS) * given.length ? "number" : "text";
}

function columnOf(name: string, cells: string[], number: Table["number"]): Column {
  const type = typeOf(cells, number);
  const isUsable = (cell: string) => (type === "number" ? number(cell) !== null : !isMissing(cell));
  const column: Column = {
    name,
    type,
    missing: cells.filter((cell) => !isUsable(cell)).length,
    distinct: new Set(cells).size,
    examples: [...new Set(cells.filter((cell) => cell !== ""))].slice(0, EXAMPLES),
    role: "coordinate",
    why: "",
  };
  const leaveOut = (why: string) => Object.assign(column, { role: "out", why });
  if (type === "empty") leaveOut("it has no values");
  else if (type === "text") leaveOut("text cannot be a coordinate");
  else if (column.missing > cells.length / 2) leaveOut("most values are missing");
  else if (/^(|unnamed: 0|id|index|row|no|nr|#)$/i.test(name) && isCounter(cells))
    leaveOut("it contains row numbers");
  return column;
}

/**
 * The column that looks like a label: one with that name (even if it has one value in the examined rows, because the file is sorted
 * by it), or else the text column with the fewest different values, if some of them repeat.
 */
function findLabel(columns: Column[], rows: number): Column | undefined {
  const isFew = (each: Column) => each.type !== "empty" && each.distinct <= MOST_CLASSES;
  const texts = columns
    .filter((each) => each.type === "text" && isFew(each) && each.distinct >= 2)
    .sort((a, b) => a.distinct - b.distinct);
  return (
    columns.find((each) => /^label$/i.test(each.name) && isFew(each)) ??
    columns.find((each) => /^class$/i.test(each.name) && isFew(each)) ??
    texts.find((each) => each.distinct < rows)
  );
}

/** Whether all rows of the file have been examined. */
export const isSeenWhole = ({ isExact, count }: Table): boolean => isExact && count <= LOOK_AT;

/** Describes the columns, and proposes a role for each. */
export function describeColumns(names: string[] | null, head: string[][], number: Table["number"]): Column[] {
  const looked = head.slice(0, LOOK_AT);
  const width = names?.length ?? looked[0]?.length ?? 0;
  const columns = Array.from({ length: width }, (_, j) =>
    columnOf(
      names?.[j] ?? `column ${j + 1}`,
      looked.map((row) => row[j] ?? ""),
      number,
    ),
  );
  const label = findLabel(columns, looked.length);
  if (label && columns.some((each) => each !== label && each.role === "coordinate"))
    Object.assign(label, { role: "label", why: "" });
  return columns;
}

// ---------------------------------------------------------------- text

/** Decodes UTF-8, or what the byte order mark says; anything else is read as Windows-1252, which old spreadsheets write. */
export function textOf(bytes: Uint8Array, isCut = false): { text: string; isUtf8: boolean } {
  const mark =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? "utf-16le"
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? "utf-16be"
        : "";
  if (mark) return { text: new TextDecoder(mark).decode(bytes), isUtf8: false };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: isCut }), isUtf8: true };
  } catch {
    return { text: new TextDecoder("windows-1252").decode(bytes), isUtf8: false };
  }
}

/** The text without the comment lines that some programs write at the start of a file. */
const withoutRemarks = (text: string) => text.replace(/^(#[^\n]*\n)+/, "");

const HEAD_BYTES = 1 << 18;

/** Whether the first row is a header: it contains a name and no numbers. */
function hasNames([first = []]: string[][], delimiter: Delimiter): boolean {
  const isOther = (cell: string) => numberIn(cell, delimiter) === null && !(cell !== "" && isMissing(cell));
  return first.every(isOther) && first.some((cell) => cell !== "");
}

async function csvTable(file: Blob): Promise<Table> {
  const isWhole = file.size <= HEAD_BYTES;
  const bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const { text: start, isUtf8 } = textOf(bytes, !isWhole);
  const text = withoutRemarks(start);
  const delimiter = delimiterOf(text);
  const head = firstRows(text, delimiter, Number.POSITIVE_INFINITY);
  if (!isWhole) head.pop(); // the last row may be incomplete
  const isNamed = hasNames(head, delimiter);
  const names = isNamed ? head.shift()! : null;
  const number = (cell: string) => numberIn(cell, delimiter);
  const usesComma = head.some((row) => row.some((cell) => cell.includes(",") && number(cell) !== null));
  return {
    kind: "CSV",
    names,
    columns: describeColumns(names, head, number),
    head,
    count: isWhole ? head.length : Math.round((head.length * file.size) / HEAD_BYTES),
    isExact: isWhole,
    number,
    isPlain: isUtf8 && text === start && !usesComma && [",", ";", "\t"].includes(delimiter),
    async rows() {
      const whole = withoutRemarks(textOf(new Uint8Array(await file.arrayBuffer())).text);
      const rows = rowsOf(whole, delimiter);
      if (isNamed) rows.next();
      return rows;
    },
  };
}

// ---------------------------------------------------------------- other kinds

const decimal = (cell: string) => numberIn(cell, ",");

function tableOf(kind: string, names: string[] | null, rows: string[][], isPlain: boolean): Table {
  return {
    kind,
    names,
    columns: describeColumns(names, rows, decimal),
    head: rows.slice(0, LOOK_AT),
    count: rows.length,
    isExact: true,
    number: decimal,
    isPlain,
    rows: async () => rows,
  };
}

function npyTable(bytes: ArrayBuffer): Table {
  const npy = openNpy(bytes);
  const row = (i: number) => Array.from({ length: npy.columns }, (_, j) => npy.cell(i, j));
  const head = Array.from({ length: Math.min(LOOK_AT, npy.rows) }, (_, i) => row(i));
  function* rows() {
    for (let i = 0; i < npy.rows; i++) yield row(i);
  }
  return { ...tableOf("NPY", null, head, true), count: npy.rows, rows: async () => rows() };
}

const asCell = (value: unknown): string =>
  value === null || value === undefined
    ? ""
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
const isRow = (value: unknown): value is unknown[] => Array.isArray(value);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads the usual JSON forms of a table: a list of rows, an object that contains one, or a list of objects. */
function jsonTable(text: string): Table {
  let data: unknown;
  try {
    data = JSON.parse(text.replace(/^\ufeff/, ""));
  } catch (error) {
    throw new Error(`This is not valid JSON: ${(error as Error).message}.`);
  }
  const rows = isObject(data) ? (data.points ?? data.data ?? data.rows) : data;
  if (!Array.isArray(rows) || rows.length === 0)
    throw new Error(
      'A JSON file must be a list of rows, or an object with the rows in "points" and optional labels in "labels".',
    );
  if (rows.every(isObject)) {
    const names = [...new Set(rows.slice(0, LOOK_AT).flatMap((row) => Object.keys(row)))];
    return tableOf(
      "JSON",
      names,
      rows.map((row) => names.map((name) => asCell(row[name]))),
      false,
    );
  }
  if (!rows.every(isRow)) throw new Error("Each row of a JSON file must be a list of numbers or an object.");
  const { labels, columns, points } = isObject(data) ? data : {};
  const width = rows[0]!.length;
  const given = isRow(columns) && columns.length === width ? columns.map(asCell) : null;
  if (!isRow(labels))
    return tableOf(
      "JSON",
      given,
      rows.map((row) => row.map(asCell)),
      isRow(points),
    );
  const names = [...(given ?? Array.from({ length: width }, (_, j) => `column ${j + 1}`)), "label"];
  const labeled = rows.map((row, i) => [...row.map(asCell), asCell(labels[i])]);
  return tableOf("JSON", names, labeled, isRow(points));
}

/** Files of other kinds, which neither this page nor the server can read. */
const FOREIGN: [start: string, what: string][] = [
  ["PK\x03\x04", "This is a workbook or an archive. Save the table as CSV and choose that file."],
  ["\xd0\xcf\x11\xe0", "This is an old Excel workbook. Save the table as CSV and choose that file."],
  ["PAR1", "This is a Parquet file. Save the table as CSV and choose that file."],
  ["\x1f\x8b", "This file is compressed. Unpack it and choose the file inside."],
  ["\x89PNG", "This is a picture. A data set is a table of numbers: CSV, JSON or NPY."],
  ["\xff\xd8\xff", "This is a picture. A data set is a table of numbers: CSV, JSON or NPY."],
  ["%PDF", "This is a PDF. A data set is a table of numbers: CSV, JSON or NPY."],
];

/** Reads as much of a file as is needed to show it. Throws an error for the user if that is not possible. */
export async function readTable(file: Blob): Promise<Table> {
  if (file.size === 0) throw new Error("This file is empty.");
  const start = new Uint8Array(await file.slice(0, 4096).arrayBuffer());
  const latin = String.fromCharCode(...start.subarray(0, 8));
  const foreign = FOREIGN.find(([magic]) => latin.startsWith(magic));
  if (foreign) throw new Error(foreign[1]);
  const { text } = textOf(start, true);
  if (!isNpy(start) && text.includes("\0")) throw new Error("This is not a text file.");
  const table = isNpy(start)
    ? npyTable(await file.arrayBuffer())
    : /^\s*[[{]/.test(text)
      ? jsonTable(textOf(new Uint8Array(await file.arrayBuffer())).text)
      : await csvTable(file);
  if (table.head.length === 0) throw new Error("This file has no rows.");
  return table;
}

// ---------------------------------------------------------------- the upload

export interface Choice {
  roles: Role[];
  /** Whether to leave out rows in which a required value is missing or not a number. */
  skip: boolean;
}

/** The proposed choice for a table. */
export function propose(table: Table): Choice {
  const roles = table.columns.map((each) => each.role);
  return { roles, skip: table.head.some((row) => !isUsable(table, roles, row)) };
}

/** Whether a row can be used for training. */
function isUsable(table: Table, roles: Role[], row: string[]): boolean {
  const fits = (role: Role, j: number) =>
    role === "out" || (role === "label" ? !isMissing(row[j]!) : table.number(row[j]!) !== null);
  return row.length === roles.length && roles.every(fits);
}

/** The number of examined rows that cannot be used. */
export const gapsIn = (table: Table, { roles }: Choice): number =>
  table.head.filter((row) => !isUsable(table, roles, row)).length;

/** The names of the columns that are kept. They are unique, no column lacks one, and only the label is called "label". */
function headerOf({ names }: Table, roles: Role[]): string[] {
  const taken = new Set<string>(["label", "class"]);
  return roles.flatMap((role, j) => {
    if (role === "out") return [];
    if (role === "label") return ["label"];
    let name = names?.[j] || `x${j + 1}`;
    while (taken.has(name.toLowerCase())) name += "_";
    taken.add(name.toLowerCase());
    return [name];
  });
}

/** Whether the server would read the original file in the chosen way. */
export function isAsItIs(table: Table, { roles, skip }: Choice): boolean {
  if (!table.isPlain || skip || roles.includes("out")) return false;
  if (table.kind === "JSON") return roles.every((role, j) => role === table.columns[j]!.role);
  const { names } = table;
  const wanted = headerOf(table, roles);
  const isUnique = new Set(names?.map((name) => name.toLowerCase())).size === names?.length;
  return !names || (isUnique && roles.every((role, j) => role === "label" || wanted[j] === names[j]));
}

/** The chosen columns of the usable rows as CSV, with the labels in a column "label". */
export async function writeCsv(table: Table, { roles, skip }: Choice): Promise<string> {
  const kept = roles.flatMap((role, j) => (role === "out" ? [] : [j]));
  const lines = [lineOf(headerOf(table, roles))];
  const asNumber = (cell: string, j: number) => (roles[j] === "coordinate" && table.number(cell)) || cell;
  for (const row of await table.rows())
    if (!skip || isUsable(table, roles, row)) lines.push(lineOf(kept.map((j) => asNumber(row[j] ?? "", j))));
  return lines.join("");
}
