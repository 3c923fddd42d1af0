// The dashboard as people use it, in a real browser against a real server.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { close, ENDLESS, open, picture, quit, Server, until } from "./harness.mjs";

let server; // shared by the tests that change nothing for the others
before(async () => {
  server = await new Server().start();
  await server.train({ name: "first" });
  await server.train({ name: "second", dataset: { name: "moons", n: 500 } });
});
after(quit);

/** Closes the dialog, and waits until it is gone. */
async function escape(page) {
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

const run = (page, name) => page.locator(".run", { hasText: name });

test("the first visit leads to a trained spiral by clicks alone", async () => {
  const fresh = await new Server().start();
  const page = await open(fresh);
  await page.getByText("Nothing has been trained here yet").waitFor();
  await page.getByRole("button", { name: "Train a spiral" }).click();
  await page.locator(".run .status.succeeded").waitFor();
  await picture(page);
  await close(page);
  await fresh.remove();
});

test("what is drawn is trained and animated", async () => {
  const fresh = await new Server().start();
  const page = await open(fresh);
  await page.getByRole("button", { name: /Draw/ }).first().click();
  const canvas = page.getByLabel("drawing area");
  const box = await canvas.boundingBox();
  await page.mouse.move(box.x + 60, box.y + 60);
  await page.mouse.down();
  for (let i = 0; i <= 40; i++)
    await page.mouse.move(
      box.x + box.width / 2 + 150 * Math.cos(i / 6),
      box.y + box.height / 2 + 150 * Math.sin(i / 6),
    );
  await page.mouse.up();
  await page.getByRole("button", { name: "Train on it" }).click();
  await page.locator(".run .status.running, .run .status.succeeded").waitFor();
  await picture(page);
  const [job] = (await fresh.api("/v1/jobs")).items;
  assert.equal(job.name, "my drawing");
  await close(page);
  await fresh.remove();
});

test("the loss grows without a reload, and a run can be cancelled and deleted", async () => {
  const fresh = await new Server().start();
  await fresh.api("/v1/jobs", ENDLESS);
  const page = await open(fresh);
  const epochs = () => page.locator(".loss tbody tr td:first-child").last().innerText();
  await page.locator(".loss tbody tr").first().waitFor({ state: "attached" });
  const first = Number(await epochs());
  await until(async () => Number(await epochs()) > first + 20, "twenty more epochs are shown");
  await run(page, "endless").getByRole("button", { name: "Cancel" }).click();
  await page.getByText("cancelled").first().waitFor();
  await run(page, "endless").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Keep" }).click();
  assert.equal((await fresh.api("/v1/jobs")).items.length, 1);
  await run(page, "endless").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("Nothing has been trained here yet").waitFor();
  assert.equal((await fresh.api("/v1/jobs")).items.length, 0);
  await close(page);
  await fresh.remove();
});

test("scrubbing shows another time, and the address keeps it", async () => {
  const page = await open(server, "#k=1");
  await picture(page);
  const track = page.getByLabel("diffusion time");
  await track.focus();
  await page.keyboard.press("Home");
  const noise = await page.locator("output.time").innerText();
  assert.match(noise, /t = [1-9]/);
  await until(async () => page.url().includes("k=0"), "the address says where the track is");
  await page.reload();
  await picture(page);
  assert.equal(await page.locator("output.time").innerText(), noise);
  await page.getByLabel("play").click();
  await until(async () => (await page.locator("output.time").innerText()) !== noise, "the animation runs");
  await close(page);
});

test("two runs stand side by side, and samplers are compared", async () => {
  const page = await open(server);
  await run(page, "second").getByRole("button", { name: "second" }).click();
  await picture(page);
  await run(page, "first").hover();
  await run(page, "first").getByRole("button", { name: "B", exact: true }).click();
  await until(async () => page.url().includes("b="), "the address names the second run");
  await page.getByRole("button", { name: "Compare samplers" }).click();
  await page.locator(".samplers canvas").first().waitFor();
  await until(async () => (await page.locator(".samplers .waiting").count()) === 0, "all samplers have answered");
  await escape(page);
  await close(page);
});

test("the form is the API's own, and says what is wrong", async () => {
  const page = await open(server, "#panel=new");
  await page.getByText(/steps, .* parameters/).waitFor();
  await page.locator("summary", { hasText: "training" }).click();
  const field = page.getByLabel("epochs", { exact: true });
  assert.match(await field.getAttribute("placeholder"), /^\d+$/);
  await field.fill("-5");
  await page.locator(".field.wrong", { hasText: "epochs" }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Train", exact: true }).isDisabled());
  page.expected = /422/;
  await field.fill("3");
  await page.getByText(/steps, .* parameters/).waitFor();
  page.errors = page.errors.filter((text) => !text.includes("422"));
  await close(page);
});

test("the keyboard is enough", async () => {
  const fresh = await new Server().start();
  const page = await open(fresh);
  await page.getByText("Nothing has been trained here yet").waitFor();
  await page.keyboard.press("n");
  await page.getByText(/steps, .* parameters/).waitFor();
  await page.getByLabel("name", { exact: true }).focus();
  await page.keyboard.type("by hand");
  await page.keyboard.press("Enter");
  await page.locator(".run .status.succeeded").waitFor();
  await picture(page);
  await page.keyboard.press("Home");
  assert.match(await page.locator("output.time").innerText(), /t = [1-9]/);
  await page.keyboard.press("f");
  assert.equal(await page.getByRole("button", { name: "Field" }).getAttribute("aria-pressed"), "true");
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("this help").waitFor();
  await escape(page);
  await page.keyboard.press("t");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await close(page);
  await fresh.remove();
});

test("dark mode follows the system, and reaches the canvas", async () => {
  const page = await open(server, "#k=1", { colorScheme: "dark", reducedMotion: "reduce" });
  await picture(page);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  const brightest = () =>
    page.locator(".stage-canvas canvas").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let most = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) most = Math.max(most, data[i]);
      return most;
    });
  const dark = await brightest();
  await page.emulateMedia({ colorScheme: "light" });
  await until(async () => (await brightest()) < dark, "the points are darker on light ground");
  await close(page);
});

test("nothing is cut off at 400 pixels", async () => {
  const page = await open(server, "", { viewport: { width: 400, height: 800 }, hasTouch: true });
  await picture(page);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 400, `${wide} pixels wide`);
  for (const panel of ["new", "draw", "help"]) {
    await page.evaluate((name) => {
      location.hash = `#panel=${name}`;
    }, panel);
    await page.getByRole("dialog").waitFor();
    const box = await page.getByRole("dialog").boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 400, panel);
    await escape(page);
  }
  await close(page);
});

test("a stopped server is said, and a started one found again", async () => {
  const fresh = await new Server().start();
  await fresh.train();
  const page = await open(fresh);
  page.expected = /Failed to load resource|net::ERR/;
  await picture(page);
  await page.getByText("live").waitFor();
  assert.equal(await fresh.stop(), 0);
  await page.getByText("The server does not answer").waitFor();
  await fresh.start();
  await page.getByText("live").waitFor();
  await fresh.api("/v1/jobs", { ...ENDLESS, name: "after the pause" });
  await run(page, "after the pause").waitFor();
  await close(page);
  await fresh.remove();
});

test("eight tabs at once all come to life", async () => {
  const pages = [];
  for (let i = 0; i < 8; i++) pages.push(await open(server, "#k=1", { reducedMotion: "reduce" }));
  for (const page of pages) {
    await picture(page);
    await page.getByText("live").waitFor();
  }
  for (const page of pages) await close(page);
});

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

for (const colorScheme of ["light", "dark"])
  test(`axe finds nothing serious, ${colorScheme}`, async () => {
    const page = await open(server, "", { colorScheme, bypassCSP: true, reducedMotion: "reduce" });
    await picture(page);
    await page.evaluate(axeSource);
    for (const panel of ["", "new", "draw", "samplers", "help"]) {
      await page.evaluate((name) => {
        location.hash = name && `#panel=${name}`;
      }, panel);
      if (panel) await page.getByRole("dialog").waitFor();
      await page.waitForTimeout(300);
      const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const bad = found.violations
        .filter((each) => ["serious", "critical"].includes(each.impact))
        .map((each) => `${each.id}: ${each.nodes.map((node) => node.target).join(", ")}`);
      assert.deepEqual(bad, [], panel);
      if (panel) await escape(page);
    }
    await close(page);
  });

