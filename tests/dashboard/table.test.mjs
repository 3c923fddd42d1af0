// Files of data: what is understood of them, what is proposed, and what is sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openNpy } from "../../server/dashboard/src/new/npy.ts";
import { gapsIn, isAsItIs, isSeenWhole, propose, readTable, textOf, writeCsv } from "../../server/dashboard/src/new/table.ts";

const read = (...parts) => readTable(new Blob(parts));
const rolesOf = (table) => Object.fromEntries(table.columns.map(({ name, role }) => [name, role]));
const lines = (n, row) => Array.from({ length: n }, (_, i) => row(i)).join("\n");
const KINDS = ["red", "green", "blue"];

test("a label of text is found, and the file is sent as it is", async () => {
  const table = await read(`x,y,kind\n${lines(30, (i) => `${i * 0.5},${i % 4},${KINDS[i % 3]}`)}`);
  assert.deepEqual(rolesOf(table), { x: "coordinate", y: "coordinate", kind: "label" });
  assert.deepEqual([table.count, table.isExact, table.columns[2].distinct], [30, true, 3]);
  const choice = propose(table);
  assert.equal(choice.skip, false);
  assert.ok(isAsItIs(table, choice));
  assert.ok(!isAsItIs(table, { ...choice, roles: ["coordinate", "out", "label"] }));
});

test("row numbers, remarks, empty columns and texts that never repeat are left out", async () => {
  const text = `,id,x,note,blank\n${lines(100, (i) => `${i},${i + 1},${i * 0.1},note ${i},`)}`;
  const table = await read(text);
  assert.deepEqual(table.columns.map(({ role }) => role), ["out", "out", "coordinate", "out", "out"]);
  assert.deepEqual(table.columns.map(({ why }) => why).filter(Boolean).length, 4);
  assert.equal(await writeCsv(table, propose(table)), `x\n${lines(100, (i) => String(i * 0.1))}\n`);
});

test("a label keeps its name in a file that is sorted by it", async () => {
  const text = `x,y,class\n${lines(1500, (i) => `${i % 50},${i % 7},${i < 1200 ? "red" : "blue"}`)}`;
  const table = await read(text);
  assert.deepEqual(rolesOf(table), { x: "coordinate", y: "coordinate", class: "label" });
  assert.equal(table.columns[2].distinct, 1);
  assert.deepEqual([isSeenWhole(table), isSeenWhole(await read("x\n1\n2\n"))], [false, true]);
  const unnamed = await read(`x,y,kind\n${lines(20, (i) => `${i % 5},${i % 7},red`)}`);
  assert.equal(rolesOf(unnamed).kind, "out", "what is the same everywhere tells nothing");
});

test("texts that are all different are no label, however few rows there are", async () => {
  const table = await read(`x,kind,name\n${lines(20, (i) => `${i},${KINDS[i % 3]},name ${i}`)}`);
  assert.deepEqual(rolesOf(table), { x: "coordinate", kind: "label", name: "out" });
});

test("gaps are counted, and left out with their rows", async () => {
  const table = await read(`x,y\n1,2\n,3\n4,NaN\n5\n6,7\noops,8\n${lines(20, (i) => `${i},${i}`)}`);
  const choice = propose(table);
  assert.deepEqual([choice.skip, gapsIn(table, choice)], [true, 4]);
  assert.ok((await writeCsv(table, choice)).startsWith("x,y\n1,2\n6,7\n0,0\n"));
});

test("names that would be taken for labels, or that come twice, are changed", async () => {
  const table = await read("label,x,x,,class\n0.5,1,2,3,4\n1.5,2,3,4,5\n2.5,3,4,5,6\n");
  const roles = table.columns.map(() => "coordinate");
  const text = await writeCsv(table, { roles, skip: false });
  assert.equal(text.split("\n")[0], "label_,x,x_,x4,class_");
  assert.ok(!isAsItIs(table, { roles, skip: false }));
  const twice = await read("kind,Kind\n1,a\n2,b\n3,a\n");
  assert.ok(!isAsItIs(twice, propose(twice)), "the parameter label could mean either");
});

test("decimal commas, marks and old encodings become plain CSV", async () => {
  const table = await read("\ufeff", "Länge;Art\r\n1,5;süß\r\n2,5;sauer\r\n3,5;süß\r\n");
  assert.deepEqual(rolesOf(table), { Länge: "coordinate", Art: "label" });
  assert.equal(await writeCsv(table, propose(table)), "Länge,label\n1.5,süß\n2.5,sauer\n3.5,süß\n");
  assert.ok(!isAsItIs(table, propose(table)));
  assert.deepEqual(textOf(Uint8Array.from([0xff, 0xfe, 0x61, 0, 0x62, 0])), { text: "ab", isUtf8: false });
  assert.equal(textOf(Uint8Array.from([0x4c, 0xe4])).text, "Lä");
  const old = await read(Uint8Array.from([...Buffer.from("x;y\n1;2\n3;4\n# "), 0xe4, 10]));
  assert.ok(!old.isPlain);
});

test("a large file is read at its head, and its rows are estimated", async () => {
  const text = `x,y\n${lines(60_000, (i) => `${(i % 1000) / 1000},${i % 7}`)}\n`;
  const table = await read(text);
  assert.ok(!table.isExact && Math.abs(table.count - 60_000) < 3000, `${table.count}`);
  assert.equal([...(await table.rows())].length, 60_000);
});

test("without a header, columns have numbers", async () => {
  const table = await read("5.1,3.5,setosa\n4.9,3.0,setosa\n6.0,3.1,virginica\n");
  assert.equal(table.names, null);
  assert.deepEqual(rolesOf(table), { "column 1": "coordinate", "column 2": "coordinate", "column 3": "label" });
  assert.equal((await writeCsv(table, propose(table))).split("\n")[0], "x1,x2,label");
});

test("JSON in the shapes in which programs write it", async () => {
  const points = [[1, 2], [3, 4], [5, 6]];
  const plain = await read(JSON.stringify({ points }));
  assert.ok(isAsItIs(plain, propose(plain)));
  const labeled = await read(JSON.stringify({ points, labels: ["a", "b", "a"] }));
  assert.deepEqual(rolesOf(labeled), { "column 1": "coordinate", "column 2": "coordinate", label: "label" });
  assert.ok(isAsItIs(labeled, propose(labeled)));
  const records = await read(JSON.stringify(points.map(([x, y], i) => ({ x, y, k: i % 2 ? "b" : "a" }))));
  assert.equal(await writeCsv(records, propose(records)), "x,y,label\n1,2,a\n3,4,b\n5,6,a\n");
  const split = await read(JSON.stringify({ columns: ["u", "v"], data: points }));
  assert.equal(await writeCsv(split, propose(split)), "u,v\n1,2\n3,4\n5,6\n");
  assert.deepEqual((await read(JSON.stringify(points))).head, points.map((row) => row.map(String)));
});

function npy(type, shape, isFortran, bytes) {
  const text = `{'descr': '${type}', 'fortran_order': ${isFortran ? "True" : "False"}, 'shape': (${shape.join(", ")},), }`.padEnd(117) + "\n";
  const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text}`, "latin1");
  head.writeUInt16LE(text.length, 8);
  const all = Buffer.concat([head, bytes]);
  return all.buffer.slice(all.byteOffset, all.byteOffset + all.length);
}

test("NPY: types, orders, and what is none", async () => {
  const cells = (file) => {
    const array = openNpy(file);
    return Array.from({ length: array.rows }, (_, i) => Array.from({ length: array.columns }, (_, j) => array.cell(i, j)));
  };
  const floats = Buffer.from(Float32Array.from([0.1, -2.5, 1e10, 16777216, 3.4028235e38, 1 / 3]).buffer);
  assert.deepEqual(cells(npy("<f4", [3, 2], false, floats)), [["0.1", "-2.5"], ["10000000000", "16777216"], ["3.4028235e+38", "0.33333334"]]);
  assert.deepEqual(cells(npy("<f4", [3, 2], true, floats))[0], ["0.1", "16777216"]);
  const big = Buffer.alloc(16);
  big.writeDoubleBE(0.1, 0);
  big.writeDoubleBE(-7, 8);
  assert.deepEqual(cells(npy(">f8", [2], false, big)), [["0.1"], ["-7"]]);
  assert.deepEqual(cells(npy("<i8", [1, 1], false, Buffer.from(BigInt64Array.of(-9007199254740993n).buffer))), [["-9007199254740993"]]);
  assert.throws(() => openNpy(npy("<f4", [3, 3], false, floats)), /ends before its last value/);
  assert.throws(() => openNpy(npy("<c8", [1, 1], false, floats)), /plain numbers/);
  assert.throws(() => openNpy(npy("<f4", [1, 1, 2], false, floats)), /3 dimensions/);
  const table = await read(npy("<f4", [3, 2], false, floats));
  assert.deepEqual([table.kind, table.count, isAsItIs(table, propose(table))], ["NPY", 3, true]);
});

for (const [what, bytes, says] of [
  ["nothing", "", /empty/],
  ["a workbook", "PK\x03\x04", /Save the table as CSV/],
  ["Parquet", "PAR1....", /Parquet/],
  ["broken JSON", '{"points": [[1', /not valid JSON/],
  ["JSON of something else", '{"a": 1}', /points/],
  ["a header alone", "x,y\n", /no rows/],
  ["bytes", "\x00\x01\x02,\x00\n1,2\n", /not a text file/],
])
  test(`${what} is refused in words`, () => assert.rejects(read(bytes), says));
