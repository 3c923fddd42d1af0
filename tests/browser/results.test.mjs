// The tabs of a run that was trained on a table: they show the data beside what the model draws.
import assert from "node:assert/strict";
import { execSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { CALM, close, ENDLESS, open, picture, quit, Server, until } from "./harness.mjs";
import { mixedTable, submitTable, trainOnTable } from "./world.mjs";

let server;
let table;
before(async () => {
  server = await new Server().start();
  table = await trainOnTable(server, "people");
});
after(quit);

const card = (page, name) => page.locator(".charts li", { has: page.getByRole("heading", { name, exact: false }) });
const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;
const tab = (page, name) => page.getByRole("tab", { name });

test("each column has the data as bars and the model as a line", async () => {
  const page = await open(server, `#job=${table.id}&n=500`, CALM);
  await page.locator(".charts polyline").first().waitFor();
  assert.deepEqual(
    (await page.locator(".charts h2").allInnerTexts()).map((each) => each.trim()).sort(),
    ["active boolean", "age integer", "plan categorical", "price numeric", "since datetime"],
  );
  // the shares of levels, in the data and among the same samples by the API
  const { columns, points } = await server.api(`/v1/models/${table.id}/samples?n=500&seed=1`);
  const at = columns.indexOf("plan");
  const rows = await card(page, "plan").getByRole("row").allInnerTexts();
  for (const [name, share] of [["free", 0.5], ["basic", 0.25], ["pro", 0.25]]) {
    const drawn = points.filter((row) => row[at] === name).length / 500;
    const row = rows.find((each) => each.startsWith(name));
    assert.deepEqual(row.split(/\s+/).filter(Boolean), [name, percent(share), percent(drawn)]);
  }
  // the bars of a number are the counts of the file: half of the prices are 0
  const titles = await card(page, "price").locator("rect title").allTextContents();
  assert.match(titles[0], /: data 50%, model \d+(\.\d)?%$/);
  await card(page, "price").locator(".ends").getByText("0", { exact: true }).waitFor();
  await card(page, "since").locator(".ends").getByText("2024-01-01").waitFor();
  await card(page, "age").getByText(/Missing: 4.0% of the data/).waitFor();
  // distances are those of the evaluation, the farthest above its floor first
  const { table: report } = await server.api(`/v1/models/${table.id}/evaluation?n=500`);
  await page.getByText("The worst comes first").waitFor();
  const excess = ({ distance, floor }) => distance - floor;
  const order = report.columns.toSorted((a, b) => excess(b) - excess(a));
  assert.deepEqual(
    (await page.locator(".charts li").allInnerTexts()).map((each) => each.split("\n").map((line) => line.trim()).filter(Boolean).slice(0, 2)),
    order.map(({ name, type, distance, floor }) => [`${name} ${type}`, `distance ${percent(distance)} · floor ${percent(floor)}`]),
  );
  // another seed draws other rows
  const before = await card(page, "age").locator("polyline").getAttribute("points");
  await page.getByRole("button", { name: "Another seed" }).click();
  await until(async () => (await card(page, "age").locator("polyline").getAttribute("points")) !== before, "the line moves");
  await close(page);
});

test("tabs are reached by keys, and are in the address", async () => {
  const page = await open(server, `#job=${table.id}`, CALM);
  await tab(page, "Columns").press("ArrowRight");
  await page.locator(".matrix").waitFor();
  assert.equal(await tab(page, "Pairs").getAttribute("aria-selected"), "true");
  await until(async () => page.url().includes("tab=pairs"), "the address says it");
  await page.locator(":focus").press("ArrowLeft");
  await page.locator(".charts").waitFor();
  await page.locator(":focus").press("ArrowLeft"); // from the first to the last
  await page.locator(".stage-canvas canvas").waitFor();
  await page.goBack();
  await page.locator(".charts").waitFor();
  await page.reload();
  await page.locator(".charts").waitFor();
  await close(page);
});

test("a pair of columns is chosen in the matrix, by keys, or by name, and drawn by its types", async () => {
  const page = await open(server, `#job=${table.id}&tab=pairs&pair=0.2`, CALM);
  const cells = page.locator(".matrix button");
  await page.locator(".points path").nth(1).waitFor();
  assert.equal(await cells.count(), 10);
  // two numbers: a dot for each row that has both
  const { table: report } = await server.api(`/v1/models/${table.id}/evaluation?n=500`);
  const pair = report.pairs.find(({ first, second }) => [first, second].sort().join() === "age,price");
  const said = `distance ${percent(pair.distance)}, floor ${percent(pair.floor)}`;
  await page.getByRole("button", { name: `age and price: ${said}` }).waitFor();
  await page.locator(".pairs .distance").getByText(said).waitFor();
  const dots = async (which) => (await page.locator(`.points.of-${which} path`).getAttribute("d")).split("M").length - 1;
  const inFile = mixedTable().split("\n").slice(1).filter((line) => !line.startsWith(",")).length;
  const drawn = await dots("data");
  assert.ok(drawn <= inFile && drawn >= 0.95 * inFile, `${drawn} of ${inFile}`); // without the outermost
  assert.ok((await dots("model")) > 500);
  // a number and a text: the middle half of the prices of each plan
  await page.getByLabel("First column").selectOption("plan");
  await page.locator(".boxes").waitFor();
  const free = page.locator(".boxes tr", { hasText: "free" }).locator("svg.of-data");
  assert.equal(await free.getAttribute("aria-label"), "data: 0 to 0, median 0");
  // two texts: the shares of their pairs
  await page.locator('.matrix [aria-pressed="true"]').press("ArrowDown");
  await page.locator(".matrix :focus").press("ArrowDown");
  await page.locator(".shares").first().waitFor();
  assert.equal(await page.locator(".matrix :focus").getAttribute("data-at"), "1.4");
  const row = await page.locator(".shares.of-data tbody tr", { hasText: "free" }).innerText();
  assert.deepEqual(row.split(/\s+/).filter(Boolean), ["free", "33", "17"]);
  await until(async () => page.url().includes("pair=1.4"), "the address says it");
  await close(page);
});

test("a run of a drawing has no tabs", async () => {
  const plain = await server.train();
  const page = await open(server, `#job=${plain.id}&tab=pairs`, CALM);
  await page.locator(".stage-canvas canvas").waitFor();
  assert.equal(await page.getByRole("tab").count(), 0);
  await close(page);
});

test("rows are those of the file that the API writes, and come as a file and as a command", async () => {
  const page = await open(server, `#job=${table.id}&tab=rows&seed=5`, CALM);
  const samples = `/v1/models/${table.id}/samples.csv?n=100&seed=5`;
  const csv = await (await fetch(server.url + samples.slice(1))).text();
  const lines = csv.trimEnd().split("\r\n").map((line) => line.split(","));
  await page.locator(".lines tbody tr").first().waitFor();
  assert.deepEqual(await page.locator(".lines th").allInnerTexts(), ["age", "plan", "price", "since", "active"]);
  const shown = await page.locator(".lines tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
  assert.deepEqual(shown, lines.slice(1));
  const [saved] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download CSV" }).click()]);
  assert.equal(saved.suggestedFilename(), "people.csv");
  assert.equal(readFileSync(await saved.path(), "utf8"), csv);
  const command = await page.getByRole("button", { name: "Copy as curl" }).getAttribute("title");
  assert.equal(execSync(command.replace("-o rows.csv", ""), { encoding: "utf8" }), csv);
  const ages = () => page.locator(".lines td:first-child").allInnerTexts();
  assert.ok((await ages()).includes(""), "some are missing, as in the data");
  await page.getByText("No missing cells").click();
  await until(async () => !(await ages()).includes(""), "none is missing");
  await page.getByText("No missing cells").click();
  // a column that is held has the same value in all rows, and so says the command
  await page.getByText("Hold columns").click();
  await page.getByLabel("age", { exact: true }).fill("40");
  await page.getByLabel("age", { exact: true }).press("Enter");
  await page.getByText("1 held").waitFor();
  await until(async () => new Set(await page.locator(".lines td:first-child").allInnerTexts()).size === 1, "they are held");
  assert.equal(await page.locator(".lines td:first-child").first().innerText(), "40");
  const held = execSync((await page.getByRole("button", { name: "Copy as curl" }).getAttribute("title")).replace("-o rows.csv", ""), { encoding: "utf8" });
  assert.deepEqual(
    held.trimEnd().split("\r\n").slice(1).map((line) => line.split(",")),
    await page.locator(".lines tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent))),
  );
  await close(page);
});

test("texts can be held, and the label, which the file has as a column", async () => {
  const labeled = await trainOnTable(server, "labeled", mixedTable(), {}, "label=plan");
  const page = await open(server, `#job=${labeled.id}&tab=rows`, CALM);
  await page.locator(".lines td").first().waitFor();
  assert.deepEqual(await page.locator(".lines th").allInnerTexts(), ["age", "plan", "price", "since", "active"]);
  const column = async (at) => [...new Set(await page.locator(`.lines td:nth-child(${at})`).allInnerTexts())];
  assert.deepEqual((await column(2)).sort(), ["basic", "free", "pro"]);
  await page.getByText("Hold columns").click();
  await page.getByLabel("plan", { exact: true }).selectOption("basic");
  await page.getByLabel("active", { exact: true }).selectOption("yes");
  await page.getByText("2 held").waitFor();
  await until(async () => (await column(2)).join() === "basic" && (await column(5)).join() === "yes", "both are held");
  // the label is one of the columns and of the fields of a row
  await tab(page, "Columns").click();
  await card(page, "plan").getByRole("row").first().waitFor({ state: "attached" });
  assert.equal(await page.locator(".charts li").count(), 5);
  await tab(page, "Score").click();
  await page.getByLabel("plan", { exact: true }).selectOption("pro");
  await page.getByText(/typical than .* real rows that training did not use/).waitFor();
  await close(page);
});

test("without its data set, a model is shown alone", async () => {
  const job = await trainOnTable(server, "alone");
  await fetch(`${server.url}v1/datasets/${job.spec.dataset.id}`, { method: "DELETE" });
  const page = await open(server, `#job=${job.id}`, { ...CALM, expected: /404|409|422/ });
  await page.getByText("The data set is not on this server").waitFor();
  await card(page, "plan").getByRole("row", { name: "pro" }).waitFor();
  await tab(page, "Pairs").click();
  await page.locator(".boxes, .points, .shares").first().waitFor();
  await tab(page, "Score").click();
  await page.getByText("Enter a row.").waitFor();
  await page.getByLabel("age", { exact: true }).fill("44");
  await page.getByLabel("age", { exact: true }).press("Enter");
  await page.getByText("No rows were held out").waitFor();
  await close(page);
});

test("before the first checkpoint, the data is shown alone, and then the model forms beside it", async () => {
  const busy = await new Server("--workers", "1").start();
  const endless = await busy.api("/v1/jobs", ENDLESS);
  await busy.finished(endless.id, "running");
  const queued = await submitTable(busy, "in the queue");
  const page = await open(busy, `#job=${queued.id}`, CALM);
  await card(page, "age").locator("rect").first().waitFor();
  assert.equal(await page.locator(".charts polyline").count(), 0);
  await tab(page, "Rows").click();
  await page.getByText("This appears after the first checkpoint").waitFor();
  await fetch(`${busy.url}v1/jobs/${endless.id}/cancel`, { method: "POST" });
  await page.locator(".lines td").first().waitFor();
  await tab(page, "Columns").click();
  await card(page, "age").locator("polyline").waitFor();
  await close(page);
  await busy.remove();
});

test("exports and commands are of the tab", async () => {
  const page = await open(server, `#job=${table.id}&n=50&panel=code`, CALM);
  const command = await page.getByLabel("Rows as CSV", { exact: true }).inputValue();
  assert.equal(execSync(command, { encoding: "utf8" }).trimEnd().split("\r\n").length, 51);
  await page.getByLabel("The report on columns and pairs", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.getByText("Stage as shown").count(), 0); // there is no picture
  await tab(page, "Animation").click();
  await page.getByText("Stage as shown").waitFor();
  await picture(page);
  await close(page);
});

test("a real row is scored, and a wild one is less typical", async () => {
  const trained = await trainOnTable(server, "trained", mixedTable(), { training: {} }); // as long as its preset says
  const page = await open(server, `#job=${trained.id}&tab=score`, CALM);
  const density = async () => Number(/Log-density (-?[\d.]+)/.exec(await page.locator(".score").innerText())[1]);
  await page.getByText(/typical than .* real rows that training did not use/).waitFor();
  const real = await density();
  const price = page.getByLabel("price", { exact: true });
  await page.getByLabel("plan", { exact: true }).selectOption("free");
  await price.fill("43.21");
  await price.press("Enter");
  await page.getByText(/Less typical than|More typical than \d%/).waitFor();
  await until(async () => (await density()) < real - 2, "it is less likely");
  await page.getByRole("button", { name: "Undo changes" }).click();
  await until(async () => (await density()) === real, "the row is as before");
  await page.getByRole("button", { name: "Another real row" }).click();
  await until(async () => (await density()) !== real, "another row has another score");
  await close(page);
});

test("the report on a table has a sentence for each of its numbers", async () => {
  const page = await open(server, `#job=${table.id}`, CALM);
  const { table: report } = await server.api(`/v1/models/${table.id}/evaluation?n=500`);
  const lines = page.locator(".table-quality tbody tr:not(.said)");
  await lines.first().waitFor();
  const { shape, trend, detection, privacy } = report;
  const expected = { Shape: shape, Trend: trend, Detection: detection, Privacy: privacy.nearer_to_training, Copies: privacy.copies };
  assert.deepEqual(
    (await lines.allInnerTexts()).map((each) => each.split("\t").map((text) => text.trim())),
    Object.entries(expected).map(([name, { value, floor }]) => [name, percent(value), percent(floor)]),
  );
  assert.equal(await page.locator(".table-quality .said").count(), 5);
  await close(page);
});
