// A file of one's own: dropped or chosen, understood, asked about, trained on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CALM, close, open, quit, run, Server, until } from "./harness.mjs";

let server;
before(async () => {
  server = await new Server().start();
  await server.trainTwo();
});
after(quit);

const jobs = async () => (await server.api("/v1/jobs")).items;

/** Numbers that look random and are the same each time. */
const wave = (i) => Number((3 + Math.sin(12.9898 * i) + 0.1 * (i % 7)).toFixed(2));
const KINDS = ["setosa", "versicolor", "virginica"];
const irises = Array.from({ length: 150 }, (_, i) => [wave(i), wave(i + 500), wave(i + 900), KINDS[i % 3]]);
const IRIS = ["sepal_length,sepal_width,petal_length,species", ...irises.map((row) => row.join(","))].join("\n");

/** Drops a file on an element, as a hand does. */
async function drop(page, name, text, onto = "main") {
  const transfer = await page.evaluateHandle(
    ([title, content]) => {
      const data = new DataTransfer();
      data.items.add(new File([content], title));
      return data;
    },
    [name, text],
  );
  await page.dispatchEvent(onto, "dragover", { dataTransfer: transfer });
  await page.dispatchEvent(onto, "drop", { dataTransfer: transfer });
}

const choose = (page, name, buffer) =>
  page.locator("dialog input[type=file]").setInputFiles({ name, mimeType: "", buffer: Buffer.from(buffer) });
const train = (page) => page.getByRole("button", { name: "Train", exact: true }).click();
const use = (page, column) => page.getByLabel(`Use ${column} as`, { exact: true });

/** The data set of the newest job, once there is one of this name. */
async function trained(name) {
  await until(async () => (await jobs())[0].name === name, `${name} is queued`);
  const [job] = await jobs();
  return server.api(`/v1/datasets/${job.spec.dataset.id}`);
}

/** The names of the coordinates of a data set. */
const names = (set) => set.columns.filter((column) => column.coordinate !== null).map((column) => column.name);

test("a file with a column of text is dropped anywhere, and trained on by one click", async () => {
  const page = await open(server, "", CALM);
  const before = (await jobs()).length;
  await drop(page, "iris.csv", IRIS);
  await page.getByText("CSV, 150 rows, 4 columns").waitFor();
  assert.equal(await use(page, "species").inputValue(), "label");
  assert.equal(await use(page, "sepal_length").inputValue(), "coordinate");
  assert.deepEqual(await page.getByRole("list", { name: "Classes" }).getByRole("listitem").allInnerTexts(), KINDS);
  const rows = page.locator(".preview tbody tr");
  assert.deepEqual((await rows.first().locator("td").allInnerTexts()).map((text) => text.trim()), irises[0].map(String));
  assert.equal((await jobs()).length, before, "nothing starts without being asked");
  await train(page);
  const set = await trained("iris");
  assert.deepEqual([set.n, set.dim, set.classes, names(set)], [150, 3, KINDS, ["sepal_length", "sepal_width", "petal_length"]]);
  await page.locator("dialog").waitFor({ state: "detached" });
  await close(page);
});

test("a spreadsheet's own CSV: mark, semicolons, commas in numbers, quotes, row numbers, gaps", async () => {
  const lines = irises.map(([a, b, , kind], i) => {
    const comma = (x) => String(x).replace(".", ",");
    return [i + 1, comma(a), i % 30 === 4 ? "" : comma(b), `"no; ""${i}"""`, kind].join(";");
  });
  const page = await open(server, "#panel=draw", CALM);
  await choose(page, "Mappe.csv", `\ufeff${["Nr;Länge;Breite;Notiz;Art", ...lines].join("\r\n")}\r\n`);
  await page.getByText("CSV, 150 rows, 5 columns").waitFor();
  const roles = {};
  for (const name of ["Nr", "Länge", "Breite", "Notiz", "Art"]) roles[name] = await use(page, name).inputValue();
  assert.deepEqual(roles, { Nr: "out", Länge: "coordinate", Breite: "coordinate", Notiz: "out", Art: "label" });
  await page.getByText("it contains row numbers").waitFor();
  assert.ok(await page.getByLabel(/Leave out rows/).isChecked());
  await train(page);
  const set = await trained("Mappe");
  assert.deepEqual([set.n, set.dim, set.classes], [145, 2, KINDS]);
  const { statistics } = set;
  const lengths = irises.flatMap(([a], i) => (i % 30 === 4 ? [] : [a]));
  assert.ok(Math.abs(statistics.max[0] - Math.max(...lengths)) < 1e-5);
  await close(page);
});

test("what the server refuses is one sentence, with a way out", async () => {
  const rows = Array.from({ length: 40_000 }, (_, i) => `${wave(i)},${wave(i + 7)}`);
  const bad = Array.from({ length: 40 }, (_, i) => `broken ${i},no ${i}`);
  const page = await open(server, "#panel=file", { ...CALM, expected: /422/ });
  await choose(page, "late.csv", ["x,y", ...rows, ...bad].join("\n"));
  await page.getByText(/CSV, about [\d,]+ rows, 2 columns/).waitFor();
  await train(page);
  const alert = page.getByRole("alert");
  await alert.locator("> p").getByText('column "x": 40 of 40040 cells (0.1%) are text ("broken 0", "broken 1", "broken 2"; the first is in line 40002)').waitFor();
  assert.ok((await alert.innerText()).length < 300, "no wall of text");
  assert.doesNotMatch(await alert.innerHTML(), /\?label=/);
  await alert.getByText("All 2 problems").click();
  await alert.getByText(/Column "y": 40 of 40040 cells .*"no 0"/).waitFor();
  await alert.getByRole("button", { name: "Leave out the rows that cannot be read" }).click();
  await train(page);
  const set = await trained("late");
  assert.deepEqual([set.n, set.dim], [40_000, 2]);
  await close(page);
});

test("roles are chosen by hand: another label, a column less", async () => {
  const page = await open(server, "#panel=file", CALM);
  await choose(page, "iris.csv", IRIS.replaceAll("species", "label"));
  await use(page, "petal_length").selectOption("out");
  await use(page, "label").selectOption("out");
  await page.getByText("The model will learn points with 2 coordinates.").waitFor();
  await page.getByRole("button", { name: "More options" }).click();
  await page.getByRole("dialog", { name: "New run" }).getByText(/steps, .* parameters, .* memory/).waitFor();
  await page.getByLabel("Name", { exact: true }).fill("by the form");
  await train(page);
  const set = await trained("by the form");
  assert.deepEqual([set.name, set.n, set.dim, set.classes], ["iris", 150, 2, null]);
  await close(page);
});

/** An NPY file of float64, [rows][columns]. */
function npy(rows) {
  const header = `{'descr': '<f8', 'fortran_order': False, 'shape': (${rows.length}, ${rows[0].length}), }`;
  const text = `${header.padEnd(117)}\n`;
  const head = Buffer.from(`\x93NUMPY\x01\x00\x00\x00${text}`, "latin1");
  head.writeUInt16LE(text.length, 8);
  return Buffer.concat([head, Buffer.from(Float64Array.from(rows.flat()).buffer)]);
}

for (const [name, content, expected] of [
  ["array.npy", npy(irises.map(([a, b], i) => [a, b, i % 3])), [150, 2, ["0", "1", "2"]]],
  ["points.json", JSON.stringify({ points: irises.map(([a, b]) => [a, b]), labels: irises.map((row) => row[3]) }), [150, 2, KINDS]],
  ["records.json", JSON.stringify(irises.map(([a, b, , kind]) => ({ a, b, kind }))), [150, 2, KINDS]],
  ["table.tsv", ["a\tb\tkind", ...irises.map(([a, b, , kind]) => `${a}\t${b}\t${kind}`)].join("\n"), [150, 2, KINDS]],
  ["blanks.txt", ["# a b", ...irises.map(([a, b]) => `  ${a}   ${b}`)].join("\n"), [150, 2, null]],
])
  test(`${name} is understood`, async () => {
    const page = await open(server, "#panel=file", CALM);
    await choose(page, name, content);
    await page.getByText(/150 rows/).waitFor();
    if (name.endsWith(".npy")) await use(page, "column 3").selectOption("label");
    await train(page);
    const set = await trained(name.replace(/\..*/, ""));
    assert.deepEqual([set.n, set.dim, set.classes], expected);
    await close(page);
  });

test("what is no table is said in a sentence, and another file can be chosen", async () => {
  const page = await open(server, "#panel=file", CALM);
  for (const [name, content, says] of [
    ["book.xlsx", Buffer.from("PK\x03\x04rest", "latin1"), "Save the table as CSV"],
    ["empty.csv", "", "This file is empty"],
    ["broken.json", '{"points": [[1, 2]', "not valid JSON"],
    ["words.csv", "a,b\nfirst,second\nthird,fourth\n", "At least one column of numbers"],
  ]) {
    await choose(page, name, content);
    await page.getByText(says).waitFor();
    assert.equal(await page.getByRole("button", { name: "Train", exact: true, disabled: false }).count(), 0);
  }
  await choose(page, "iris.csv", IRIS);
  await page.getByText("CSV, 150 rows").waitFor();
  await close(page);
});

test("several data sets become classes by touch, and the legend names their colors", async () => {
  const page = await open(server, "#panel=new", { viewport: { width: 400, height: 800 }, hasTouch: true, ...CALM });
  await page.getByText(/steps, .* parameters/).waitFor();
  for (const name of ["Moons", "Dino"]) {
    const box = page.getByLabel(`${name} as a class`);
    const { width, height } = await box.boundingBox();
    assert.ok(width >= 24 && height >= 24);
    await box.tap();
  }
  const dialog = page.getByRole("dialog");
  const legend = dialog.getByRole("list", { name: "Classes" });
  assert.deepEqual(await legend.getByRole("listitem").allInnerTexts(), ["Spiral", "Moons", "Dino"]);
  await page.getByLabel("Spiral as a class").tap();
  await page.getByLabel("Moons as a class").tap();
  await page.getByLabel("Dino as a class").tap(); // the last one stays
  assert.ok(await page.getByLabel("Dino as a class").isChecked());
  await page.getByLabel("Heart as a class").tap();
  await page.getByLabel("Name", { exact: true }).fill("two shapes");
  await train(page);
  await run(page, "two shapes").waitFor();
  const [job] = await jobs();
  assert.deepEqual(job.spec.dataset.map((each) => each.name), ["dino", "heart"]);
  await page.locator(".stage").getByRole("list", { name: "Classes" }).getByText("heart").waitFor();
  await close(page);
});

test("the form: limits in words, errors beside their fields, what a training takes", async () => {
  const page = await open(server, "#panel=new", { ...CALM, expected: /422/ });
  await page.getByText(/[\d,]+ steps, [\d,]+ parameters, about .* s, up to \d+ MiB of memory/).waitFor();
  const dialog = page.getByRole("dialog");
  assert.doesNotMatch(await dialog.innerHTML(), /9007199254740991|…\)|\( ?…/);
  await page.locator("summary", { hasText: "Training" }).click();
  await page.getByText("Passes over the data. 1 to 1,000,000.").waitFor();
  await page.getByText(/step size\. 0\.000000001 to 10|step size\. 1e-9 to 10/).waitFor();
  for (const [label, value] of [["Epochs", "many"], ["Learning rate", "-1"], ["Seed", "1.5"]])
    await dialog.getByLabel(label, { exact: true }).fill(value);
  await dialog.getByText("Please check").waitFor();
  await dialog.locator(".field.wrong").nth(2).waitFor();
  for (const label of ["Epochs", "Learning rate", "Seed"]) {
    const field = dialog.getByLabel(label, { exact: true });
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    const [error] = (await field.getAttribute("aria-describedby")).split(" ");
    assert.match(await page.locator(`[id="${error}"]`).innerText(), /must|number|integer/);
  }
  await dialog.getByRole("button", { name: "Learning rate" }).click();
  assert.equal(await page.evaluate(() => document.activeElement.id), "field-training.learning_rate");
  for (const label of ["Epochs", "Learning rate", "Seed"]) await dialog.getByLabel(label, { exact: true }).fill("");
  await dialog.getByLabel("Time embedding").waitFor({ state: "attached" });
  await dialog.getByLabel("Preset").selectOption("sinai2022");
  await page.getByText(/steps, .* parameters/).waitFor();
  await dialog.locator(".warning").first().waitFor();
  assert.match(await dialog.locator(".warning").first().innerText(), /^[A-Z].*\.$/);
  await until(async () => (await dialog.getByLabel("Epochs", { exact: true }).getAttribute("placeholder")) === "100", "the preset's epochs");
  const small = await dialog.locator("button, input, select, summary").evaluateAll((all) =>
    all
      .filter((each) => each.checkVisibility() && each.type !== "file")
      .filter((each) => each.getBoundingClientRect().width < 24 || each.getBoundingClientRect().height < 24)
      .map((each) => each.outerHTML),
  );
  assert.deepEqual(small, []);
  await close(page);
});
