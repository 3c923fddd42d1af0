// What the page says of a run, and what it hands out: settings, columns, exports, commands, and links that change within the page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { CALM, close, goTo, inkOf, open, picture, QUICK, quit, run, Server, until } from "./harness.mjs";

let server;
const ids = {};
before(async () => {
  server = await new Server().start();
  ids.plain = (await server.train({ name: "plain" })).id;
  ids.other = (await server.train({ name: "other", dataset: { name: "moons", n: 500 } })).id;
});
after(quit);

/** Three columns of different size: c runs from 0 to 90 000, and is zero but for the last tenth of the rows. */
const TABLE = ["a,b,c", ...Array.from({ length: 100 }, (_, i) => [i, (i * 37) % 100, i < 90 ? 0 : 10_000 * (i - 90)])].join("\n");

async function upload(name, text) {
  const answer = await fetch(`${server.url}v1/datasets?name=${name}`, {
    method: "POST",
    headers: { "Content-Type": "text/csv" },
    body: text,
  });
  return (await answer.json()).id;
}

const print = (page) =>
  page.locator(".stage-canvas canvas").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let hash = 0;
    for (const value of data) hash = (hash * 31 + value) | 0;
    return hash;
  });

test("the settings of a run stand there, with what differs from its preset, and a clone has them", async () => {
  const job = await server.train({
    ...{ name: "own", seed: 7, dataset: { name: "heart", n: 400 }, training: { epochs: 12, batch_size: 100, learning_rate: 0.002 } },
  });
  const model = await server.api(`/v1/models/${job.id}`);
  const page = await open(server, `#job=${job.id}`, CALM);
  const row = (name) => page.locator(".facts tr", { has: page.getByRole("rowheader", { name, exact: true }) });
  await row("Parameters").getByText(model.parameters.toLocaleString("en"), { exact: true }).waitFor();
  await row("Instruction set").getByText(model.kernels).waitFor();
  await row("Points").getByText("400", { exact: true }).waitFor();
  await row("ID").getByText(job.id).waitFor();
  const { spec: preset } = await server.api("/v1/jobs?validate_only=true", { preset: "default" });
  await row("Learning rate").getByText(`0.002 preset: ${preset.training.learning_rate}`).waitFor();
  await row("Seed").getByText("7 preset: 0").waitFor();
  const changed = await page.locator(".facts .changed th").allInnerTexts();
  assert.deepEqual(changed.sort(), ["Batch size", "Epochs", "Hidden layers", "Hidden size", "Learning rate", "Seed"]);
  await page.getByText("6 differ from the preset").waitFor();
  await page.getByRole("button", { name: "Clone" }).click();
  await page.getByText(/steps, .* parameters/).waitFor();
  await page.getByRole("button", { name: "Train", exact: true }).click();
  await until(async () => (await server.api("/v1/jobs")).items[0].id !== job.id, "it is queued");
  const [clone] = (await server.api("/v1/jobs")).items;
  assert.deepEqual(clone.spec, job.spec);
  await close(page);
});

test("the sampler and the steps that are usual for a table stand there", async () => {
  const id = await upload("usual", TABLE);
  const training = { ...QUICK.training, normalization: "quantile" };
  const job = await server.train({ name: "usual", dataset: { id }, diffusion: { timesteps: 60 }, training });
  const page = await open(server, `#job=${job.id}`, CALM);
  const sampler = page.locator(".sampling label", { hasText: "Sampler" }).locator("select");
  const steps = page.getByLabel("Steps", { exact: true });
  await sampler.getByText("dpmpp_2m (default)").waitFor({ state: "attached" });
  assert.equal(await steps.inputValue(), "50");
  await sampler.selectOption("ddpm");
  assert.equal(await steps.inputValue(), "60");
  await until(() => page.url().includes("sampler=ddpm"), "the address names the sampler");
  await sampler.selectOption("");
  assert.equal(await steps.inputValue(), "50");
  const options = await sampler.locator("option").allInnerTexts();
  assert.equal(options.filter((each) => /dpmpp_2m(?!_sde)/.test(each)).length, 1);
  await goTo(page, `job=${ids.plain}`);
  await sampler.getByText("ddpm (default)").waitFor({ state: "attached" });
  await close(page);
});

test("columns are chosen by name, and drawn on scales of their own", async () => {
  const id = await upload("table", TABLE);
  const job = await server.train({ name: "table", dataset: { id } });
  const page = await open(server, `#job=${job.id}&tab=animation&k=1`, CALM);
  await page.getByText("2 of 3 columns are drawn").waitFor();
  await picture(page);
  const across = page.getByLabel("Column along the horizontal axis");
  assert.deepEqual(await across.locator("option").allInnerTexts(), ["a", "b", "c"]);
  const first = await print(page);
  await across.selectOption({ label: "c" });
  await until(async () => (await print(page)) !== first, "another column is drawn");
  await until(async () => page.url().includes("axes=2.1"), "the address says which");
  const up = page.getByLabel("Column along the vertical axis");
  await up.selectOption({ label: "c" }); // the columns change places
  assert.equal(await across.locator("option:checked").innerText(), "b");
  await until(async () => page.url().includes("axes=1.2"), "the address, too");
  await page.reload();
  await picture(page);
  assert.equal(await up.locator("option:checked").innerText(), "c");
  await close(page);
});

test("a single column is a histogram of as many bars as there are values", async () => {
  const id = await upload("two", ["v", ...Array.from({ length: 200 }, (_, i) => (i % 2 ? 1 : 3))].join("\n"));
  const job = await server.train({ name: "two values", dataset: { id } });
  const page = await open(server, `#job=${job.id}&tab=animation&process=forward&k=0&show=`, CALM);
  await page.getByText("Histogram of the points").waitFor();
  await page.getByLabel("Diffusion time").press("Home");
  const bars = () =>
    page.locator(".stage-canvas canvas").evaluate((canvas) => {
      const y = Math.round(canvas.height * 0.6); // through the bars, above the scale
      const row = canvas.getContext("2d").getImageData(0, y, canvas.width, 1).data;
      const isBlue = (x) => row[4 * x + 3] > 200 && row[4 * x + 2] > row[4 * x] + 60; // the line of the data is gray
      let count = 0;
      for (let x = 1; x < canvas.width; x++) if (isBlue(x) && !isBlue(x - 1)) count++;
      return count;
    });
  await until(async () => (await bars()) === 2, "two bars");
  assert.ok(await page.getByRole("button", { name: "Field" }).isDisabled());
  await close(page);
});

const hrefs = (page) => page.locator(".exports a").evaluateAll((links) => links.map((link) => link.href));

test("exports and commands are of what is on the stage", async () => {
  const page = await open(server, `#job=${ids.plain}&k=1&seed=9&clip=0`, CALM);
  await picture(page);
  const model = await hrefs(page);
  const gif = model.find((each) => each.includes(".gif"));
  assert.match(gif, new RegExp(`/v1/models/${ids.plain}/trajectories\\.gif\\?.*seed=9.*clip=false`));
  await goTo(page, `job=${ids.plain}&process=forward&seed=9`);
  await until(async () => (await hrefs(page)).some((each) => each.includes("/v1/datasets/spiral/forward.gif?")), "forward");
  const forward = await hrefs(page);
  assert.ok(!forward.some((each) => /trajectories|samples/.test(each)));
  await goTo(page, `job=${ids.plain}&b=${ids.other}&mode=x0`);
  await until(async () => (await hrefs(page)).filter((each) => each.includes(".gif")).length === 2, "one for A, one for B");
  assert.ok((await hrefs(page)).filter((each) => each.includes("trajectories.npy")).every((each) => each.includes("which=x0")));
  await page.emulateMedia({ colorScheme: "dark" });
  await until(async () => (await hrefs(page)).find((each) => each.includes(".svg")).includes("theme=dark"), "the theme");
  for (const href of [...model, ...forward, ...(await hrefs(page))]) {
    const answer = await fetch(href);
    assert.equal(answer.status, 200, href);
    await answer.body.cancel();
  }
  await goTo(page, `job=${ids.plain}&process=optimal&panel=code`);
  const command = page.getByRole("textbox", { name: "What is on the stage" });
  await until(async () => (await command.inputValue()).includes("/v1/datasets/spiral/optimal?"), "the command, too");
  await close(page);
});

test("the picture and the animation of the stage are files", async () => {
  const page = await open(server, `#job=${ids.plain}&k=1&show=hue`, {});
  await picture(page);
  const save = async (name) => {
    const download = page.waitForEvent("download");
    await page.locator(".exports").getByRole("button", { name }).click();
    return download;
  };
  const png = await save("PNG");
  assert.equal(png.suggestedFilename(), "plain.png");
  const bytes = readFileSync(await png.path());
  const canvas = await page.locator(".stage-canvas canvas").evaluate(({ width, height }) => ({ width, height }));
  assert.deepEqual({ width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }, canvas);
  const video = await save("Video");
  assert.match(video.suggestedFilename(), /^plain\.(webm|mp4)$/);
  assert.ok(readFileSync(await video.path()).length > 5000);
  await close(page);
});

test("a link within the page moves the track, and one to an absent run says so", async () => {
  const page = await open(server, `#job=${ids.plain}&k=1`, CALM);
  await picture(page);
  const done = await inkOf(page);
  await goTo(page, `job=${ids.plain}&k=0`);
  await page.locator("output.time", { hasText: "t = 100" }).waitFor();
  await until(async () => (await inkOf(page)) !== done, "noise");
  page.expected = /404/;
  await goTo(page, "job=01a20ebe-4517-7001-b3ca-06767684b48b");
  await page.getByText("This run does not exist").waitFor();
  await run(page, "plain").getByRole("button", { name: "plain" }).click();
  await page.getByText("This run does not exist").waitFor({ state: "detached" });
  await close(page);
});

test("a tab in the background says how far its run is", async () => {
  const fresh = await new Server().start();
  const job = await fresh.api("/v1/jobs", { ...QUICK, name: "long", training: { epochs: 100_000, batch_size: 100 } });
  const page = await open(fresh, "", CALM);
  await until(async () => /^\d+% – long – denoised$/.test(await page.title()), "the title tells the share");
  await fetch(`${fresh.url}v1/jobs/${job.id}/cancel`, { method: "POST" });
  await until(async () => (await page.title()) === "long – denoised", "and no longer when it is over");
  await close(page);
  await fresh.remove();
});

test("the loss can be folded, zoomed by dragging, and shown whole again", async () => {
  const page = await open(server, `#job=${ids.plain}`, CALM);
  await picture(page);
  const stage = async () => (await page.locator(".stage-canvas").boundingBox()).height;
  const before = await stage();
  await page.getByRole("button", { name: "Hide" }).click();
  await until(async () => (await stage()) > before + 50, "the stage has its room");
  await page.reload();
  await page.getByRole("button", { name: "Show" }).click();
  await until(async () => (await stage()) === before, "and gives it back");
  const plot = page.locator(".u-over");
  await until(async () => (await plot.boundingBox())?.height > 20, "the chart is there");
  const box = await plot.boundingBox();
  await page.mouse.move(box.x + 40, box.y + 10);
  await page.mouse.down();
  await page.mouse.move(box.x + 200, box.y + 12, { steps: 4 });
  await page.mouse.up();
  await page.getByRole("button", { name: "Reset zoom" }).click();
  await page.getByRole("button", { name: "Reset zoom" }).waitFor({ state: "detached" });
  await close(page);
});

test("a button says that it waits, and is not pressed twice", async () => {
  const page = await open(server, `#job=${ids.plain}`, CALM);
  await picture(page);
  let asked = 0;
  let answer;
  const held = new Promise((done) => {
    answer = done;
  });
  await page.route("**/resume", async (route) => {
    asked++;
    await held;
    await route.fulfill({ status: 409, contentType: "application/problem+json", body: '{"detail":"not now"}' });
  });
  page.expected = /409/;
  const button = page.locator(".run.chosen .actions button").first();
  await button.click();
  await page.locator(".run.chosen .actions button[aria-busy=true]").waitFor();
  await button.click();
  answer();
  await page.locator("[aria-live=polite]", { hasText: "not now" }).waitFor();
  await page.locator("button[aria-busy=true]").waitFor({ state: "detached" });
  assert.equal(asked, 1);
  await close(page);
});

test("on paper stand the picture, the loss and the settings, and nothing to press", async () => {
  const page = await open(server, `#job=${ids.plain}`, CALM);
  await picture(page);
  await page.locator(".facts.settings").waitFor();
  await page.emulateMedia({ media: "print" });
  for (const part of [".stage-canvas canvas", ".loss-plot canvas", ".facts.settings", ".quality"])
    await page.locator(part).waitFor();
  assert.ok((await page.locator(".stage-canvas").boundingBox()).height > 400); // 120 mm
  assert.equal(await page.locator("button:visible, input:visible, select:visible").count(), 0);
  await close(page);
});
