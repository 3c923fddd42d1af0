// Reads CSV as the server writes it: commas, and quotes around cells that need them.

export function readCsv(text: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  const cell = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r?\n|$)/y;
  while (cell.lastIndex < text.length) {
    const [, content = "", end = ""] = cell.exec(text) ?? [];
    line.push(content.startsWith('"') ? content.slice(1, -1).replaceAll('""', '"') : content);
    if (end === ",") {
      if (cell.lastIndex === text.length)
        line.push(""); // the last cell is empty
      else continue;
    }
    lines.push(line);
    line = [];
  }
  return lines;
}
