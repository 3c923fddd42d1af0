// Text as a table: the delimiter is found, cells come out as they went in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { delimiterOf, firstRows, lineOf, numberIn, rowsOf } from "../../server/dashboard/src/new/csv.ts";

const rows = (text, delimiter = ",") => [...rowsOf(text, delimiter)];

test("lines end as they like, quotes hold what they hold", () => {
  for (const end of ["\n", "\r\n", "\r"]) assert.deepEqual(rows(["a,b", "1,2", ""].join(end)), [["a", "b"], ["1", "2"]]);
  assert.deepEqual(rows('"a,""b""",c\n"two\nlines", 3 \n'), [['a,"b"', "c"], ["two\nlines", "3"]]);
  assert.deepEqual(rows("\n\n1,2\n\n"), [["1", "2"]]);
  assert.deepEqual(rows("1,\n,2\n,"), [["1", ""], ["", "2"], ["", ""]]);
  assert.deepEqual(rows('"never closed,1\n2'), [["never closed,1\n2"]]);
  assert.deepEqual(rows("  1   2\t3  \n4 5 6", " "), [["1", "2", "3"], ["4", "5", "6"]]);
  assert.deepEqual(firstRows("1\n2\n3", ",", 2), [["1"], ["2"]]);
  assert.deepEqual(rows(""), []);
});

test("what is written is read again", () => {
  const strange = ["", "a", '"', '""', ",", "a,b", "line\nend", "\r\n", " blank ", "ä", "'", ";", "1.5", '"quoted"', "a\tb"];
  let state = 1;
  const random = (n) => {
    state = (state * 48271) % 2147483647;
    return state % n;
  };
  for (let i = 0; i < 500; i++) {
    const table = Array.from({ length: 1 + random(5) }, () => Array.from({ length: 2 + i % 3 }, () => strange[random(strange.length)]));
    assert.deepEqual(rows(table.map(lineOf).join("")), table);
  }
});

for (const [text, delimiter] of [
  ["x,y\n1,2\n3,4\n", ","],
  ["x;y\n1,5;2,5\n3,5;4,5\n", ";"],
  ["x\ty\n1\t2\n", "\t"],
  ["x|y\n1|2\n", "|"],
  ["1.0  2.0\n3.0  4.0\n", " "],
  ["1\n2\n3\n", ","],
  ["first name, last name\n1, 2\n3, 4\n", ","],
  ["a;b\nx, y;1\nz, w;2\n", ";"],
  ["5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n", ","],
  ["x,name\n1,no 1\n2,no 2\n", ","],
  ["", ","],
])
  test(`the delimiter of ${JSON.stringify(text.slice(0, 20))}`, () => assert.equal(delimiterOf(text), delimiter));

test("numbers, with a comma only where commas part no cells", () => {
  for (const cell of ["1", "-1.5", "+.5", "5.", "1e-3", " 2 ", "1E5"]) assert.equal(numberIn(cell, ","), cell.trim());
  for (const cell of ["", "a", "1,5", "1.2.3", "0x10", "1e", "--1", "nan", "Infinity", "1 2"]) assert.equal(numberIn(cell, ","), null);
  assert.equal(numberIn("1,5", ";"), "1.5");
  assert.equal(numberIn("1,234.5", ";"), null);
});
