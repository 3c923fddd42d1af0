// Dates as the texts of a table have them.

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** What stands for each part of a format of the API, such as %d.%m.%Y or %-d %B %y. */
const PARTS: Record<string, string> = {
  Y: "\\d{4}",
  b: "[A-Za-z]+",
  B: "[A-Za-z]+",
  f: "\\d+",
  p: "[AP]M",
  P: "[ap]m",
};

/** Milliseconds since 1970 of a text in a format; NaN if it is not in that format. */
export function timeOf(format: string, text: string): number {
  const names: string[] = [];
  const pattern = format.replace(
    /%[-0-9]?([A-Za-z])|[.*+?^${}()|[\]\\]/g,
    (all, name: string | undefined) => {
      if (!name) return `\\${all}`;
      names.push(name);
      return `(${PARTS[name] ?? "\\d{1,2}"})`;
    },
  );
  const [, ...found] = new RegExp(`^${pattern}$`).exec(text.trim()) ?? [];
  if (found.length === 0) return Number.NaN;
  const part = (name: string): string | undefined => found[names.indexOf(name)];
  const number = (name: string, absent: number) => Number(part(name) ?? absent);
  const month = (part("b") ?? part("B"))?.slice(0, 3).toLowerCase();
  const short = number("y", 70);
  const half = part("p") ?? part("P");
  return Date.UTC(
    number("Y", short + (short < 70 ? 2000 : 1900)),
    month ? MONTHS.indexOf(month) : number("m", 1) - 1,
    number("d", 1),
    part("I") ? (number("I", 0) % 12) + (/p/i.test(half ?? "") ? 12 : 0) : number("H", 0),
    number("M", 0),
    number("S", 0),
    1000 * Number(`0.${part("f") ?? 0}`),
  );
}
