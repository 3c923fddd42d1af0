// The page as a whole: keys, themes, widths, tabs, a server that goes away, one with keys, one under a path.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CALM,
  close,
  ENDLESS,
  escape,
  goTo,
  guarded,
  open,
  picture,
  profile,
  quit,
  run,
  Server,
  until,
} from "./harness.mjs";

let server;
before(async () => {
  server = await new Server().start();
  await server.trainTwo();
});
after(quit);

test("the form is the API's own, and says what is wrong", async () => {
  const page = await open(server, "#panel=new");
  await page.getByText(/steps, .* parameters/).waitFor();
  await page.locator("summary", { hasText: "Training" }).click();
  const field = page.getByLabel("Epochs", { exact: true });
  assert.match(await field.getAttribute("placeholder"), /^\d+$/);
  page.expected = /422/;
  await field.fill("-5");
  await page.locator(".field.wrong", { hasText: "Epochs" }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Train", exact: true }).isDisabled());
  await field.fill("3");
  await page.getByText(/steps, .* parameters/).waitFor();
  await close(page);
});

test("the keyboard is enough", async () => {
  const fresh = await new Server().start();
  const page = await open(fresh);
  await page.getByText("Nothing has been trained here yet").waitFor();
  await page.keyboard.press("n");
  await page.getByText(/steps, .* parameters/).waitFor();
  await page.getByLabel("Name", { exact: true }).focus();
  await page.keyboard.type("by hand");
  await page.keyboard.press("Enter");
  await page.locator(".run .status.succeeded").waitFor();
  await picture(page);
  await page.keyboard.press("Home");
  await page.locator("output.time", { hasText: /t = [1-9]/ }).waitFor();
  await page.keyboard.press("f");
  await page.getByRole("button", { name: "Field", pressed: true }).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("this help").waitFor();
  await escape(page);
  await page.keyboard.press("t");
  await page.getByRole("button", { name: "Theme: light" }).waitFor();
  await page.keyboard.press("t");
  await page.locator("html[data-theme=dark]").waitFor();
  await page.keyboard.press("t");
  await page.getByRole("button", { name: "Theme: auto" }).waitFor(); // the system's again
  await page.locator(".run-name").focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press("Tab"); // over "Train longer" to "Delete"
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("This cannot be undone").waitFor();
  await escape(page);
  await close(page);
  await fresh.remove();
});

test("what happens is told to those who do not see it", async () => {
  const fresh = await new Server().start();
  const job = await fresh.api("/v1/jobs", ENDLESS);
  const page = await open(fresh, "", CALM);
  const table = page.getByRole("table", { name: "Loss by epoch" });
  await table.getByRole("cell").nth(2).waitFor();
  assert.deepEqual(await table.getByRole("columnheader").allInnerTexts(), ["epoch", "training", "validation"]);
  const [epoch, loss] = await table.getByRole("row").nth(1).getByRole("cell").allInnerTexts();
  const { data } = await fresh.api(`/v1/jobs/${job.id}/history?limit=100`);
  assert.equal(data.train_loss[data.epoch.indexOf(Number(epoch))].toPrecision(4), loss);
  await page.getByRole("img", { name: /1000 points of endless, drawn from noise/ }).waitFor();
  await run(page, "endless").getByRole("button", { name: "Cancel" }).click();
  await page.locator("[aria-live=polite]", { hasText: "endless: canceled" }).waitFor();
  await close(page);
  await fresh.remove();
});

test("dark mode follows the system, and reaches the canvas", async () => {
  const page = await open(server, "#k=1&show=", { colorScheme: "dark", ...CALM });
  await picture(page);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  const brightest = () =>
    page.locator(".stage-canvas canvas").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let most = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 190) most = Math.max(most, data[i]);
      return most;
    });
  let dark = 0;
  await until(async () => {
    const before = dark;
    dark = await brightest();
    return dark > 0 && dark === before;
  }, "the points are drawn, and rest");
  await page.emulateMedia({ colorScheme: "light" });
  await until(async () => (await brightest()) < dark, "the points are darker on light ground");
  await close(page);
});

test("something is painted before the script has come", async () => {
  const context = await profile();
  let go;
  const held = new Promise((done) => {
    go = done;
  });
  await context.route("**/assets/{app,shared}.js", async (route) => {
    await held;
    await route.continue();
  });
  const page = await context.newPage();
  await page.goto(server.url, { waitUntil: "commit" });
  await until(
    () => page.evaluate(() => performance.getEntriesByName("first-contentful-paint").length > 0),
    "the head of the page is painted",
  );
  const top = await page.locator(".top").boundingBox();
  go();
  await picture(page);
  assert.deepEqual(await page.locator(".top").boundingBox(), top); // nothing jumps
  await context.close();
});

test("what only tables need is loaded when it is shown, and a part that does not come is said", async () => {
  const page = await open(server, "", { expected: /tables\.js/ });
  await picture(page);
  const scripts = () =>
    page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name.split("/").at(-1)));
  assert.ok((await scripts()).includes("shared.js") && !(await scripts()).includes("tables.js"));
  await page.route("**/assets/tables.js", (route) => route.abort());
  await goTo(page, "panel=file");
  await page.getByRole("alert").getByText("A part of this page could not be loaded.").waitFor();
  await page.unroute("**/assets/tables.js");
  await page.getByRole("button", { name: "Reload the page" }).click();
  await page.getByRole("dialog", { name: "Train on a file" }).waitFor();
  await close(page);
});

/** Opens a table in the dialog for files: columns of each type, and one that cannot be used. */
async function openTable(page) {
  const rows = Array.from({ length: 60 }, (_, i) => `${i},${i % 7}.5,kind ${i % 3},2020-02-${10 + (i % 9)},${i % 2 ? "yes" : ""},${i % 40}%`);
  const buffer = Buffer.from(["id,length_of_the_left_wing_in_millimeters,kind,seen,wild,share", ...rows].join("\n"));
  await page.locator("dialog input[type=file]").setInputFiles({ name: "table.csv", mimeType: "text/csv", buffer });
  await page.getByText("1 column cannot be used as it is.").waitFor();
}

const fitsIn = async (width) => {
  const page = await open(server, "", { viewport: { width, height: 800 }, hasTouch: true, expected: /422/, ...CALM });
  await picture(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `${wide} pixels wide`);
  const panels = ["new", "draw", "file", "runs", "code", "help", ...(width < 400 ? [] : ["samplers"])];
  for (const panel of panels) {
    await goTo(page, `panel=${panel}`);
    await page.getByRole("dialog").waitFor();
    const box = await page.getByRole("dialog").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= width, panel);
    const hidden = () =>
      page.locator(".scroll").evaluateAll((boxes) => boxes.some((each) => each.scrollWidth > each.clientWidth));
    await until(async () => !(await hidden()), `nothing of ${panel} is to the side`);
    await escape(page);
  }
  await goTo(page, "panel=file");
  await openTable(page);
  const past = await page.locator("dialog").evaluate((dialog) => {
    const edge = dialog.getBoundingClientRect().right;
    const isCut = (each) => each.checkVisibility() && !each.closest(".scroll") && each.getBoundingClientRect().right > edge;
    return [...dialog.querySelectorAll(".data-file *, footer *")].filter(isCut).map((each) => each.outerHTML);
  });
  assert.deepEqual(past, [], "every column of a table is inside the dialog");
  await close(page);
};
for (const width of [360, 400, 800, 1060, 1240]) test(`nothing is cut off at ${width} pixels`, () => fitsIn(width));

test("a stopped server is said, and a started one found again", async () => {
  const fresh = await new Server().start();
  await fresh.train();
  const page = await open(fresh);
  page.expected = /Failed to load resource|net::ERR/;
  await picture(page);
  await page.getByText("live").waitFor();
  assert.equal(await fresh.stop(), 0);
  await page.getByText("The connection was lost at").waitFor();
  await fresh.start();
  await page.getByText("live").waitFor();
  await fresh.api("/v1/jobs", { ...ENDLESS, name: "after the pause" });
  await run(page, "after the pause").waitFor();
  await close(page);
  await fresh.remove();
});

test("a page that stays open while the database is replaced shows the new one", async () => {
  const fresh = await new Server().start();
  await fresh.train({ name: "of the old database" });
  const page = await open(fresh);
  page.expected = /Failed to load resource|net::ERR/;
  const other = await page.context().newPage(); // shares the stream
  await other.goto(fresh.url);
  await run(other, "of the old database").waitFor();
  await picture(page);
  for (const name of ["of the new database", ""]) {
    assert.equal(await fresh.stop(), 0);
    rmSync(fresh.directory, { recursive: true });
    mkdirSync(fresh.directory);
    await fresh.start();
    if (name) await fresh.train({ name });
    for (const each of [page, other]) {
      if (name) await run(each, name).waitFor();
      else await each.getByText("Nothing has been trained here yet").waitFor();
      await run(each, "of the old database").waitFor({ state: "detached" });
    }
  }
  await close(page);
  await fresh.remove();
});

test("the first run of all comes to the stage, whoever has sent it", async () => {
  const fresh = await new Server().start();
  const page = await open(fresh, "", CALM);
  await page.getByText("Nothing has been trained here yet").waitFor();
  await page.getByText("live").waitFor();
  await fresh.train({ name: "sent by curl" });
  await page.getByRole("heading", { name: "sent by curl" }).waitFor();
  await goTo(page, "k=0.5"); // an address that names no run
  await until(async () => (await page.url()).includes("job="), "the address names it again");
  await picture(page);
  await close(page);
  await fresh.remove();
});

test("eight tabs of one browser share a stream, and all are live", async () => {
  const fresh = await new Server().start();
  await fresh.train({ name: "first" });
  const context = await profile(CALM);
  const pages = [];
  for (let i = 0; i < 8; i++) pages.push(await open(fresh, "#k=1", {}, context));
  for (const page of pages) {
    await picture(page);
    await page.getByText("live").waitFor();
  }
  const metrics = async () => (await fetch(`${fresh.url}metrics`)).text();
  assert.match(await metrics(), /^denoised_http_streams 1$/m);
  await fresh.train({ name: "for all" });
  for (const page of pages) await run(page, "for all").getByText("done").waitFor();
  await pages[0].close(); // the one that read the stream: another takes over
  await fresh.train({ name: "without the first" });
  for (const page of pages.slice(1)) await run(page, "without the first").getByText("done").waitFor();
  for (const page of pages) assert.deepEqual(page.errors, []);
  await context.close();
  await fresh.remove();
});

test("a server with keys is asked with one, once the reader has given it", async () => {
  const { guard, keys } = await guarded();
  await guard.train({ name: "secret" });
  // What is expected are the browser's own words about the answers.
  const page = await open(guard, "#k=1", { ...CALM, expected: /40[13]/ });
  const give = async (key) => {
    await page.getByRole("dialog").getByLabel("API key").fill(key);
    await page.getByRole("button", { name: "Continue" }).click();
  };
  await page.getByRole("dialog", { name: "API key required" }).waitFor();
  await page.getByRole("status").getByText("API key required").waitFor();
  assert.equal(await page.getByText("does not answer").count(), 0);
  await escape(page);
  await page.getByRole("button", { name: "Enter a key" }).click();
  await give("dn_wrong");
  await page.getByRole("dialog").getByText("The server does not know this key").waitFor();
  await give(keys.read);
  await run(page, "secret").waitFor();
  await picture(page);
  await page.getByText("live").waitFor();
  await page.locator(".quality tbody tr").first().waitFor();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "CSV" }).click();
  const csv = readFileSync(await (await download).path(), "utf8");
  assert.equal(csv.trim().split("\n").length, 1001);
  await run(page, "secret").getByRole("button", { name: "Train longer" }).click();
  await page.locator("[aria-live=polite]", { hasText: /scope|write/ }).waitFor(); // it may only read
  await page.evaluate((key) => sessionStorage.setItem("denoised.key", key), keys.write);
  await page.reload();
  await run(page, "secret").getByRole("button", { name: "Train longer" }).click();
  await until(async () => (await guard.api("/v1/jobs")).items[0].progress.epochs === 40, "it trains on");
  await close(page);
  await guard.remove();
});

test("it works under a path behind a proxy", async () => {
  const deep = await new Server("--base-path", "/lab/denoised").start();
  const page = await open(deep);
  await page.getByText("Nothing has been trained here yet").waitFor();
  await page.getByRole("button", { name: "Train a spiral" }).click();
  await run(page, "spiral").waitFor();
  await page.getByText("live").waitFor();
  await picture(page);
  assert.ok(page.url().startsWith(deep.url), page.url());
  assert.ok((await page.getByRole("link", { name: "API" }).getAttribute("href")).startsWith(deep.url));
  await close(page);
  await deep.remove();
});

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function judge(page, where) {
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const bad = found.violations
    .filter((each) => ["serious", "critical"].includes(each.impact))
    .map((each) => `${each.id}: ${each.nodes.map((node) => node.target).join(", ")}`);
  assert.deepEqual(bad, [], where);
}

for (const colorScheme of ["light", "dark"])
  test(`axe finds nothing serious, ${colorScheme}`, async () => {
    const options = { colorScheme, bypassCSP: true, expected: /422/, ...CALM };
    const page = await open(server, "", options);
    await picture(page);
    await page.evaluate(axeSource);
    for (const panel of ["", "new", "draw", "file", "runs", "samplers", "code", "help"]) {
      await goTo(page, panel && `panel=${panel}`);
      if (panel) await page.getByRole("dialog").waitFor();
      await page.waitForTimeout(300);
      await judge(page, panel);
      if (panel) await escape(page);
    }
    await goTo(page, "panel=file");
    await openTable(page);
    await judge(page, "a table with a column that cannot be used");
    await close(page);
    const fresh = await new Server().start();
    const empty = await open(fresh, "", options);
    await picture(empty);
    await empty.evaluate(axeSource);
    await judge(empty, "an empty database");
    await close(empty);
    await fresh.remove();
  });
