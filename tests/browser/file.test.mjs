// A file of one's own: dropped or chosen, understood, asked about, trained on.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { CALM, close, open, quit, run, Server, until } from "./harness.mjs";

let server;
before(async () => {
  server = await new Server().start();
  await server.trainTwo();
});
after(quit);

/** The forward process of a table that is not all numbers cannot be drawn; the stage says so. */
const NOT_DRAWN = /422.*forward/;
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
const typeOf = (page, column) => page.getByLabel(`Type of ${column}`, { exact: true });
const labelOf = (page, column) => page.getByRole("button", { name: `Use as label: ${column}`, exact: true });
const understood = (page, text) => page.locator("dialog").getByText(text).first().waitFor();

/** The data set of the newest job, once there is one of this name. */
async function trained(name) {
  await until(async () => (await jobs())[0].name === name, `${name} is queued`);
  const [job] = await jobs();
  return server.api(`/v1/datasets/${job.spec.dataset.id}`);
}

/** The names of the coordinates of a data set. */
const names = (set) => set.columns.filter((column) => column.coordinate !== null).map((column) => column.name);

/** What each line of the columns says. */
const lines = (page) =>
  page.locator(".columns tbody tr").evaluateAll((all) =>
    all.map((line) => [
      line.querySelector("th").firstChild.textContent,
      line.querySelector("select").value,
      line.querySelectorAll("rect").length,
      line.cells[3]?.firstChild.textContent,
    ]),
  );

test("a table is dropped anywhere, understood, changed, given a label by a click, and trained on", async () => {
  const page = await open(server, "", { ...CALM, expected: NOT_DRAWN });
  const before = (await jobs()).length;
  const rows = irises.map(([a, b, , kind], i) => [
    i + 1, i % 30 === 4 ? "" : a, Math.round(10 * b), kind, `2021-0${1 + (i % 6)}-1${i % 7}`, i % 3 ? "yes" : "no", 1000 + (i % 5),
  ]);
  await drop(page, "flowers.csv", ["id,length,width,species,seen,wild,plot", ...rows.map((row) => row.join(","))].join("\n"));
  await understood(page, "150 rows, 7 columns");
  const lengths = rows.map((row) => row[1]).filter((x) => x !== "");
  const widths = rows.map((row) => row[2]);
  assert.deepEqual(await lines(page), [
    ["id", "id", 0, "1, 2, 3 …"],
    ["length", "numeric", 20, `${Math.min(...lengths)} to ${Math.max(...lengths)}`],
    ["width", "integer", Math.floor((Math.max(...widths) - Math.min(...widths)) / Math.ceil((Math.max(...widths) - Math.min(...widths) + 1) / 20)) + 1, `${Math.min(...widths)} to ${Math.max(...widths)}`],
    ["species", "categorical", 3, "setosa 33%, versicolor 33%, virginica 33%"],
    ["seen", "datetime", 20, "2021-01-10 to 2021-06-16"],
    ["wild", "boolean", 2, "yes 67%, no 33%"],
    ["plot", "integer", 5, "1,000 to 1,004"],
  ]);
  const length = page.locator(".columns tr", { hasText: "length" });
  await length.getByText("3.3%").waitFor();
  await page.getByText("The model will learn 5 columns. 1 column will be filled in from others. 1 column will not be trained on.").waitFor();

  await typeOf(page, "plot").selectOption("categorical");
  await understood(page, "1000 20%, 1001 20%, 1002 20%, and 2 more");
  assert.deepEqual([await labelOf(page, "id").count(), await labelOf(page, "width").count()], [0, 1], "too many values are no classes");
  await labelOf(page, "species").click();
  await page.getByText("The model will learn 4 columns and the 3 classes of species. 1 column will be filled in from others. 1 column will not be trained on.").waitFor();
  assert.equal(await labelOf(page, "species").getAttribute("aria-pressed"), "true");
  assert.equal(await typeOf(page, "plot").inputValue(), "categorical", "the first change stays");
  assert.deepEqual(await page.getByRole("list", { name: "Classes" }).getByRole("listitem").allInnerTexts(), KINDS);

  const picture = page.locator("dialog figure");
  await picture.getByRole("img", { name: "width by length" }).waitFor();
  const pixels = () => picture.locator("canvas").evaluate((canvas) => canvas.toDataURL());
  const first = await pixels();
  await picture.getByLabel("Column along the horizontal axis").selectOption({ label: "seen" });
  await picture.getByRole("img", { name: "width by seen" }).waitFor();
  await until(async () => (await pixels()) !== first, "the picture is another one");
  await picture.getByLabel("Column along the vertical axis").selectOption({ label: "seen" }); // they swap
  await picture.getByRole("img", { name: "seen by width" }).waitFor();

  assert.equal((await jobs()).length, before, "nothing starts without being asked");
  assert.equal((await server.api("/v1/datasets?kind=upload")).items.length, 0, "nothing is kept before");
  await train(page);
  const set = await trained("flowers");
  assert.deepEqual([set.n, set.dim, set.label, set.classes], [150, 4, "species", KINDS]);
  assert.deepEqual(names(set), ["length", "width", "seen", "plot"]);
  assert.equal(set.columns.find(({ name }) => name === "plot").type, "categorical");
  await page.locator("dialog").waitFor({ state: "detached" });
  await close(page);
  const [job] = await jobs();
  if (job.status !== "succeeded") await fetch(`${server.url}v1/jobs/${job.id}/cancel`, { method: "POST" });
});

test("a spreadsheet's own CSV: mark, semicolons, commas in numbers, quotes, row numbers, gaps", async () => {
  const rows = irises.map(([a, b, , kind], i) => {
    const comma = (x) => String(x).replace(".", ",");
    return [i + 1, comma(a), i % 30 === 4 ? "" : comma(b), `"no; ""${i}"""`, kind].join(";");
  });
  const page = await open(server, "#panel=draw", { ...CALM, expected: NOT_DRAWN });
  await choose(page, "Mappe.csv", `\ufeff${["Nr;Länge;Breite;Notiz;Art", ...rows].join("\r\n")}\r\n`);
  await understood(page, "150 rows, 5 columns");
  const found = (await lines(page)).map(([name, type]) => [name, type]);
  assert.deepEqual(found, [["Nr", "id"], ["Länge", "numeric"], ["Breite", "numeric"], ["Notiz", "id"], ["Art", "categorical"]]);
  await page.locator(".columns").getByText("3.3%").waitFor();
  await page.getByRole("button", { name: "More options" }).click();
  await page.getByRole("dialog", { name: "New run" }).getByText(/steps, .* parameters, .* memory/).waitFor();
  const card = page.locator(".gallery .card", { hasText: "Mappe" });
  assert.equal(await card.locator(".stack .bars").count(), 3, "a table is shown by its columns, not by two of them");
  await page.getByLabel("Name", { exact: true }).fill("by the form");
  await page.locator("summary", { hasText: "Training" }).click();
  await page.getByLabel("Epochs", { exact: true }).fill("2");
  await train(page);
  const set = await trained("by the form");
  assert.deepEqual([set.name, set.n, names(set)], ["Mappe", 150, ["Länge", "Breite", "Art"]]);
  await close(page);
});

test("each column that cannot be used says why, and a button accepts it", async () => {
  const table = ["name,rate,price,note"];
  for (let i = 0; i < 300; i++) table.push(`n${i % 4},${i % 50}%,"${1 + (i % 9)},${100 + i}",${i % 3 ? `text ${i}` : "again"}`);
  const page = await open(server, "#panel=file", { ...CALM, expected: /422/ });
  await choose(page, "late.csv", table.join("\n"));
  await understood(page, "300 rows, 4 columns");
  const line = (name) => page.locator(".columns tbody tr").filter({ has: page.locator("th", { hasText: name }) });
  await line("rate").getByText('300 of 300 cells (100%) are written with a percent sign ("0%", "1%", "2%"; the first is in line 2)').waitFor();
  await line("price").getByText("written with an unclear decimal mark").waitFor();
  assert.doesNotMatch(await page.locator("dialog").innerHTML(), /\?decimal=/);
  await page.getByText("2 columns cannot be used as they are.").waitFor();
  const button = page.getByRole("button", { name: "Train", exact: true });
  assert.ok(await button.isDisabled());
  await page.getByRole("button", { name: "A comma marks decimals: price" }).click();
  await line("price").getByText("1.1 to 9.396").waitFor();
  await page.getByText("1 column cannot be used as it is.").waitFor();
  await page.getByRole("button", { name: "Use as a category: rate" }).click();
  await line("rate").getByText("and 47 more").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), "Type of rate", "the focus is not lost with the button");
  await typeOf(page, "note").selectOption("categorical");
  await line("note").getByText("again 33%").waitFor();
  await typeOf(page, "name").selectOption("datetime");
  await line("name").getByText("not all its values are dates").waitFor();
  assert.equal(await typeOf(page, "name").inputValue(), "datetime", "what was chosen is shown beside its error");
  await page.getByRole("button", { name: "Do not train on it: name" }).click();
  await page.getByText("The model will learn 3 columns. 1 column will not be trained on.").waitFor();
  await train(page);
  const set = await trained("late");
  assert.deepEqual(names(set), ["rate", "price", "note"]);
  const price = set.columns.find(({ name }) => name === "price");
  assert.deepEqual([price.min, price.type], [1.1, "numeric"]);
  await close(page);
});

test("a table with too many columns says which to leave out, and its list can be searched", async () => {
  const wide = Array.from({ length: 70 }, (_, j) => `c${j}`);
  const constant = [3, 20, 41, 42, 60, 69]; // nearly
  const table = [wide, ...irises.map((_, i) => wide.map((_, j) => (constant.includes(j) ? (i === j ? 1 : 0) : wave(i + 31 * j))))];
  const page = await open(server, "#panel=file", { ...CALM, expected: /422/ });
  await choose(page, "wide.csv", table.map((row) => row.join(",")).join("\n"));
  await understood(page, "150 rows, 70 columns");
  await page.getByText("6 columns cannot be used as they are.").waitFor();
  const shown = () => lines(page).then((all) => all.map(([name]) => name));
  assert.equal((await shown()).length, 70);
  const list = page.getByRole("region", { name: "Columns" });
  const heights = await list.evaluate((element) => [element.clientHeight, element.scrollHeight, innerHeight]);
  assert.ok(heights[0] < 0.7 * heights[2] && heights[1] > 3 * heights[0], `it scrolls: ${heights}`);
  await page.getByLabel("Only those that cannot be used").check();
  assert.deepEqual(await shown(), constant.map((j) => `c${j}`));
  await list.getByText(/in 99.3% of the rows this one is the same/).first().waitFor();
  await page.getByRole("button", { name: "Do not train on it: c20" }).click();
  await page.getByText("5 columns cannot be used as they are.").waitFor();
  await page.getByRole("button", { name: "Do not train on these 5 columns" }).click();
  await page.getByText("The model will learn 64 columns. 6 columns will not be trained on.").waitFor();
  assert.equal((await shown()).length, 70, "nothing is wrong any more");
  await page.getByLabel("Find a column").fill("C4");
  assert.deepEqual(await shown(), ["c4", ...Array.from({ length: 10 }, (_, j) => `c4${j}`)]);
  await page.getByText("11 of 70 columns").waitFor();
  await typeOf(page, "c44").selectOption("id");
  await page.getByText("The model will learn 63 columns. 7 columns will not be trained on.").waitFor();
  assert.equal((await shown()).length, 11, "the search stays");
  await page.getByLabel("Find a column").fill("");
  await typeOf(page, "c3").selectOption("integer");
  await page.getByText("The model will learn 64 columns.").waitFor();
  await close(page);
});

test("a column that follows from another one can be trained on", async () => {
  const page = await open(server, "#panel=file", { ...CALM, expected: NOT_DRAWN });
  await choose(page, "grades.csv", ["level,grade,x", ...irises.map(([a], i) => `${i % 6},${"abcabd"[i % 6]},${a}`)].join("\n"));
  await page.getByText("The model will learn 2 columns. 1 column will be filled in from others.").waitFor();
  await page.getByRole("button", { name: "Train on it: grade" }).click();
  await page.getByText("The model will learn 3 columns.").waitFor();
  await page.getByRole("button", { name: "Fill it in: grade" }).click();
  await page.getByText("The model will learn 2 columns. 1 column will be filled in from others.").waitFor();
  await page.getByRole("button", { name: "Train on it: grade" }).click();
  await page.getByText("The model will learn 3 columns.").waitFor();
  await train(page);
  const set = await trained("grades");
  assert.deepEqual([names(set), set.columns[1].independent], [["level", "grade", "x"], true]);
  await close(page);
  const [job] = await jobs();
  if (job.status !== "succeeded") await fetch(`${server.url}v1/jobs/${job.id}/cancel`, { method: "POST" });
});

test("how a file is read can be changed, and what is wrong with all of it is one sentence", async () => {
  const page = await open(server, "#panel=file", { ...CALM, expected: /422/ });
  await choose(page, "years.csv", "2019,2020\n1,2\n3,4\n5,7\n");
  const alert = page.getByRole("alert");
  await alert.getByText(/it is either a row or the names of the columns, which count on\.$/).waitFor();
  await page.getByText("How the file is read").click();
  await page.getByLabel("First row").selectOption("true");
  await understood(page, "3 rows, 2 columns");
  assert.deepEqual((await lines(page)).map(([name]) => name), ["2019", "2020"]);
  await page.getByText("How the file is read").click();
  await page.getByLabel("First row").selectOption("false");
  await understood(page, "4 rows, 2 columns");
  await choose(page, "units.csv", "a,b\nm,kg\n1,2\n3,4\n");
  await alert.getByText(/^The server cannot use this data: line 2 has text \("m" \.\.\)/).waitFor();
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
  ["packed.csv.gz", gzipSync(IRIS), [150, 3, KINDS]],
  ["lines.ndjson", irises.map(([a, b, , kind]) => JSON.stringify({ a, b, kind })).join("\n"), [150, 2, KINDS]],
  ["blanks.txt", ["# a b", ...irises.map(([a, b]) => `  ${a}   ${b}`)].join("\n"), [150, 2, null]],
])
  test(`${name} is understood`, async () => {
    const page = await open(server, "#panel=file", CALM);
    await choose(page, name, content);
    await understood(page, "150 rows");
    const last = page.getByRole("button", { name: /^Use as label/ }).last();
    if (expected[2] && (await last.getAttribute("aria-pressed")) === "false") await last.click();
    if (expected[2]) await page.getByText("and the 3 classes of").waitFor();
    await train(page);
    const set = await trained(name.replace(/\..*/, ""));
    assert.deepEqual([set.n, set.dim, set.classes], expected);
    await close(page);
  });

test("what is no table is said in a sentence, and another file can be chosen", async () => {
  const page = await open(server, "#panel=file", { ...CALM, expected: /4\d\d/ });
  for (const [name, content, says] of [
    ["book.xlsx", Buffer.from("PK\x03\x04rest", "latin1"), "save the table as CSV"],
    ["empty.csv", "", "there are no rows"],
    ["broken.json", '{"points": [[1, 2]', "The file is not valid JSON: line 1, column 19"],
    ["page.csv", "<!doctype html><p>no", "HTML or XML"],
  ]) {
    await choose(page, name, content);
    const alert = page.getByRole("alert").filter({ hasText: name });
    await alert.getByText(says).waitFor();
    assert.equal(await page.getByRole("button", { name: "Train", exact: true, disabled: false }).count(), 0);
  }
  await choose(page, "iris.csv", IRIS);
  await understood(page, "150 rows");
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
  await page.getByText(/^Passes over the data\..* 1 to 1,000,000\.$/).waitFor();
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

/** IDX, as MNIST has it: images of 8 x 8 pixels, the k-th of which is of the gray 12 k. */
const idxOf = (n) => {
  const head = Buffer.from([0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 8, 0, 0, 0, 8]);
  return Buffer.concat([head, Buffer.from(Array.from({ length: 64 * n }, (_, i) => 12 * Math.floor(i / 64)))]);
};

test("a file of images is understood, and the gallery shows them", async () => {
  const page = await open(server, "#panel=file", { ...CALM, expected: /400/ });
  await choose(page, "train-images-idx3-ubyte", idxOf(20));
  await understood(page, "20 images of 8 × 8 pixels, gray");
  await understood(page, "The model will learn images.");
  assert.equal(await page.locator("dialog table").count(), 0);
  const labels = Buffer.from([0, 0, 8, 1, 0, 0, 0, 20, ...Array.from({ length: 20 }, (_, i) => i % 3)]);
  await choose(page, "train-labels-idx1-ubyte", labels); // they go with the images
  await understood(page, "Classes: 0, 1, 2");
  await understood(page, "The model will learn images of 3 classes.");
  await choose(page, "other-images-idx3-ubyte", idxOf(7));
  await understood(page, "7 images of 8 × 8 pixels, gray");
  await understood(page, "drop the file with the labels, too");
  const both = ["images-ubyte", "labels-ubyte"].map((name, i) => ({ name, mimeType: "", buffer: i ? labels : idxOf(20) }));
  await page.locator("dialog input[type=file]").setInputFiles(both.reverse());
  await understood(page, "Classes: 0, 1, 2");
  await choose(page, "wrong", idxOf(20).subarray(1));
  await page.locator("dialog").getByRole("alert").waitFor();
  await close(page);
  const headers = { ...server.headers, "Content-Type": "application/octet-stream" };
  const address = `${server.url}v1/datasets`;
  const made = await fetch(`${address}?name=grays`, { method: "POST", body: idxOf(20), headers });
  const { id } = await made.json();
  const other = await open(server, "#panel=new", CALM);
  const card = other.locator(".card", { hasText: "grays" });
  await card.scrollIntoViewIfNeeded();
  const grays = () =>
    card.locator("canvas").evaluate((canvas) => {
      const at = (x, y) => canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];
      return [18, 56, 94].flatMap((y) => [18, 56, 94].map((x) => at(x, y)));
    });
  await until(async () => (await grays())[8] === 96, "the images are drawn");
  assert.deepEqual(await grays(), [0, 12, 24, 36, 48, 60, 72, 84, 96]);
  await close(other);
  await fetch(`${address}/${id}`, { method: "DELETE", headers: server.headers });
});
