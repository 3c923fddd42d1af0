// Reads and writes CSV as spreadsheets and scripts write it. This module knows only text, nothing of the page.

/** The character between the cells of a line; " " stands for any number of blanks. */
export type Delimiter = "," | ";" | "\t" | "|" | " ";
const DELIMITERS: Delimiter[] = [",", ";", "\t", "|", " "];

const isEnd = (c: string | undefined) => c === undefined || c === "\n" || c === "\r";
const isBlank = (c: string | undefined) => c === " " || c === "\t";

/** Reads the cells of a text, line by line. */
class Reader {
  private at = 0;
  constructor(
    private readonly text: string,
    private readonly delimiter: Delimiter,
  ) {}

  get isOver(): boolean {
    return this.at >= this.text.length;
  }

  private get next(): string | undefined {
    return this.text[this.at];
  }

  private isDelimiter(): boolean {
    return this.delimiter === " " ? isBlank(this.next) : this.next === this.delimiter;
  }

  private passBlanks(): void {
    while (isBlank(this.next) && (this.delimiter === " " || !this.isDelimiter())) this.at++;
  }

  private plain(): string {
    const from = this.at;
    while (!isEnd(this.next) && !this.isDelimiter()) this.at++;
    return this.text.slice(from, this.at).trim();
  }

  /** A cell in quotes. Two quotes within it mean one. */
  private quoted(): string {
    let cell = "";
    for (let from = ++this.at; ; from = this.at) {
      const quote = this.text.indexOf('"', from);
      if (quote < 0) {
        this.at = this.text.length;
        return cell + this.text.slice(from);
      }
      cell += this.text.slice(from, quote);
      this.at = quote + 1;
      if (this.next !== '"') return cell + this.plain();
      cell += '"';
      this.at++;
    }
  }

  /** Reads the cells of a line. */
  line(): string[] {
    const cells: string[] = [];
    for (;;) {
      this.passBlanks();
      if (this.delimiter === " " && isEnd(this.next) && cells.length > 0) break;
      cells.push(this.next === '"' ? this.quoted() : this.plain());
      if (isEnd(this.next)) break;
      this.at++; // the delimiter
    }
    if (this.next === "\r") this.at++;
    if (this.next === "\n") this.at++;
    return cells;
  }
}

/** The rows of a text, without its empty lines. */
export function* rowsOf(text: string, delimiter: Delimiter): Generator<string[]> {
  const reader = new Reader(text, delimiter);
  while (!reader.isOver) {
    const cells = reader.line();
    if (cells.length > 1 || cells[0] !== "") yield cells;
  }
}

export function firstRows(text: string, delimiter: Delimiter, count: number): string[][] {
  const rows: string[][] = [];
  for (const row of rowsOf(text, delimiter)) {
    rows.push(row);
    if (rows.length === count) break;
  }
  return rows;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const WITH_COMMA = /^[+-]?\d*,\d+(e[+-]?\d+)?$/i;

/** A cell as a number with a decimal point; null if it is not a number. A comma can be decimal unless it is the delimiter. */
export function numberIn(cell: string, delimiter: Delimiter): string | null {
  const text = cell.trim();
  if (NUMBER.test(text)) return text;
  return delimiter !== "," && WITH_COMMA.test(text) ? text.replace(",", ".") : null;
}

const LOOK_AHEAD = 20;
const COLUMN_BONUS = 0.1; // prefers a delimiter that gives several columns, if the share of numbers is the same

/** How well a delimiter fits the first rows: they should have the same number of cells, and contain numbers. */
function score(text: string, delimiter: Delimiter): number {
  const rows = firstRows(text, delimiter, LOOK_AHEAD);
  const width = rows.at(-1)?.length ?? 0;
  const hasOther = (cell: string) => /[,;|\t]/.test(cell) && numberIn(cell, delimiter) === null;
  if (delimiter === " " && rows.some((row) => row.some(hasOther))) return 0; // the blanks are part of texts
  let sum = 0;
  for (const row of rows)
    if (row.length === width) {
      const numbers = row.filter((cell) => numberIn(cell, delimiter) !== null).length;
      sum += numbers / width + (width > 1 ? COLUMN_BONUS : 0);
    }
  return sum;
}

export function delimiterOf(text: string): Delimiter {
  const head = text.slice(0, 65536);
  let best: Delimiter = ",";
  let most = score(head, best);
  for (const each of DELIMITERS) {
    const value = score(head, each);
    if (value > most + 1e-9) [best, most] = [each, value];
  }
  return best;
}

const quote = (cell: string) => (/[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

export const lineOf = (cells: string[]): string => `${cells.map(quote).join(",")}\n`;
