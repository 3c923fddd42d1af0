// What the tabs of a table's run compute: bins, levels, and cells of CSV.
import "./page.mjs";
import assert from "node:assert/strict";
import { test } from "node:test";

const { binsOf, levelNames, levelsOf, numberOf } = await import("../../server/dashboard/src/results/values.ts");
const { readCsv } = await import("../../server/dashboard/src/results/csv.ts");

test("only numbers and dates are numbers", () => {
  const date = { type: "datetime", format: "%-d.%-m.%Y" };
  assert.equal(numberOf(date, "9.11.1989"), Date.parse("1989-11-09T00:00:00Z") / 1000);
  assert.equal(numberOf({ type: "integer", format: "0" }, 7), 7);
  for (const [column, cell] of [[date, null], [date, "1989"], [{ type: "numeric", format: "0" }, "7"], [date, true]])
    assert.ok(Number.isNaN(numberOf(column, cell)), `${cell}`);
});

test("bins cover the data, and all values are in them", () => {
  const whole = binsOf([1, 2, 2, 3, 3, 3], [1, 3], true);
  assert.deepEqual(whole.data.map((each) => Math.round(6 * each)), [1, 2, 3]);
  assert.deepEqual(whole.model, [0.5, 0, 0.5]);
  assert.deepEqual([whole.low, whole.high, ...whole.ends], [0.5, 3.5, 1, 3]);

  const even = Array.from({ length: 2400 }, (_, i) => i / 100);
  const bins = binsOf(even, null, false);
  assert.equal(bins.data.length, 24);
  for (const share of bins.data) assert.ok(Math.abs(share - 1 / 24) < 0.001);
  assert.deepEqual([bins.isCutLow, bins.isCutHigh], [false, false]);

  const tailed = binsOf([...even, 99_999], even, false); // one value far away does not squeeze the others into one bin
  assert.ok(tailed.high < 30 && tailed.isCutHigh);
  assert.ok(Math.abs(tailed.data.reduce((sum, each) => sum + each, 0) - 1) < 1e-9);

  const same = binsOf([5, 5, 5], [], false);
  assert.ok(same.low < 5 && same.high > 5);
  assert.deepEqual(same.data.filter(Boolean), [1]);
  assert.ok(same.model.every((share) => share === 0));
});

test("levels are the most frequent ones, the others together, and missing cells", () => {
  const data = ["a", "a", "a", "b", "b", "c", "d", null, true, 7];
  assert.deepEqual(levelNames(data, 2), ["a", "b", null]);
  const levels = levelsOf(data, ["b", "e", null, null], 3);
  const rows = levels.map(({ name, data: inData, model }) => [name, Math.round(10 * inData), model]);
  assert.deepEqual(rows, [["a", 3, 0], ["b", 2, 0.25], ["5 others", 4, 0.25], ["missing", 1, 0.5]]);
  assert.deepEqual(levelsOf(["x"], null, 3), [{ name: "x", data: 1, model: null }]);
});

test("CSV comes apart into its cells", () => {
  assert.deepEqual(readCsv('a,"b, c"\r\n"say ""hi""",\r\n"two\r\nlines",3\r\n'), [["a", "b, c"], ['say "hi"', ""], ["two\r\nlines", "3"]]);
  assert.deepEqual(readCsv("a\n\n1\n"), [["a"], [""], ["1"]]); // a missing cell of a single column is an empty line
  assert.deepEqual(readCsv("a,b\n1,"), [["a", "b"], ["1", ""]]);
  assert.deepEqual(readCsv(""), []);
});
