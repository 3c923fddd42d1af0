// The runs: followed live, stopped, deleted, compared, looked back at.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CALM, close, ENDLESS, escape, goTo, inkOf, open, picture, QUICK, quit, run, Server, until } from "./harness.mjs";

let server; // shared by the tests that change nothing for the others
before(async () => {
  server = await new Server().start();
  await server.trainTwo();
});
after(quit);

test("the loss grows without a reload, and a run can be cancelled, resumed and deleted", async () => {
  const fresh = await new Server().start();
  await fresh.api("/v1/jobs", ENDLESS);
  const page = await open(fresh);
  const epochs = () => page.locator(".loss tbody tr td:first-child").last().innerText();
  await page.locator(".loss tbody tr").first().waitFor({ state: "attached" });
  const first = Number(await epochs());
  await until(async () => Number(await epochs()) > first + 20, "twenty more epochs are shown");
  let asked = 0;
  page.on("request", (request) => {
    if (request.url().includes("/history")) asked++;
  });
  const isFed = async () => {
    const [before, from] = [asked, Number(await epochs())];
    await until(async () => Number(await epochs()) > from + 50, "fifty more");
    return asked === before;
  };
  await until(isFed, "the events alone bring the epochs");
  await page.locator(".run .status", { hasText: "left" }).waitFor(); // progress and how long it will take
  await run(page, "endless").getByRole("button", { name: "Cancel" }).click();
  await page.getByText("canceled at epoch").waitFor();
  await run(page, "endless").getByRole("button", { name: "Resume" }).click();
  await page.locator(".run .status.running").waitFor();
  await run(page, "endless").getByRole("button", { name: "Cancel" }).click();
  await page.getByText("canceled at epoch").waitFor();
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

test("what the server warns of stands there in sentences, before a run and after it", async () => {
  const fresh = await new Server().start();
  const job = await fresh.train({
    name: "hopeless",
    preset: "sinai2022",
    dataset: { name: "spiral", n: 12 },
    training: { epochs: 2, learning_rate: 1e-9, ema_decay: 0.999, lr_warmup_steps: 50, validation_fraction: 0.9 },
  });
  const codes = ["schedule_keeps_signal", "few_points", "ema_slow", "warmup_too_long", "not_learned"];
  assert.deepEqual(job.warnings.map((each) => each.code), codes);
  const page = await open(fresh);
  await page.locator(".inspector .warning").first().waitFor();
  const shown = await page.locator(".inspector .warning").allInnerTexts();
  assert.equal(shown.length, codes.length);
  job.warnings.forEach((each, i) => assert.equal(shown[i].toLowerCase(), `${each.detail}.`.toLowerCase()));
  for (const text of shown) assert.match(text, /^([A-Z0-9]|[a-z]+_[a-z]).*\.$/s); // or a field, by its name
  await goTo(page, "#panel=new");
  await page.getByText(/steps, .* parameters/).waitFor();
  await page.getByLabel("preset").selectOption("sinai2022");
  const warning = page.getByRole("dialog").locator(".warning");
  await warning.waitFor();
  assert.match(await warning.innerText(), /^The schedule ends with a signal-to-noise ratio of 19\.9, .*\.$/s);
  assert.ok(!(await page.content()).includes("[object"));
  await close(page);
  await fresh.remove();
});

test("the reference page shows what the answers are", async () => {
  const page = await open(server, "docs");
  await page.locator("#schema-Warnings").waitFor();
  const text = await page.locator("body").innerText();
  assert.ok(text.length > 20_000 && !/\[object|undefined|cannot show|NaN/.test(text));
  await close(page);
});

test("a picture that could not be renewed stays", async () => {
  const fresh = await new Server().start();
  const job = await fresh.api("/v1/jobs", ENDLESS);
  const page = await open(fresh, "#k=1", CALM);
  page.expected = /net::ERR_FAILED/;
  await picture(page);
  let refused = 0;
  await page.route("**/trajectories*", (route) => {
    refused++;
    return route.abort();
  });
  await until(() => refused >= 2, "two checkpoints could not be drawn");
  await page.waitForTimeout(200);
  assert.ok((await inkOf(page)) > 500);
  assert.equal(await page.locator(".stage-note.error").count(), 0);
  await page.unroute("**/trajectories*");
  await page.waitForResponse((answer) => answer.url().includes("/trajectories") && answer.ok());
  await goTo(page, "k=1&sampler=none");
  await page.locator(".stage-note.error", { hasText: "sampler" }).waitFor(); // what was asked for anew is told
  await fetch(`${fresh.url}v1/jobs/${job.id}/cancel`, { method: "POST" });
  page.expected = /./;
  await page.context().close();
  await fresh.remove();
});

test("a run that this server cannot continue says so, and can start afresh", async (t) => {
  const fresh = await new Server().start();
  const { kernels } = await fresh.api("/version");
  if (kernels === "baseline") t.skip("this machine has one instruction set");
  await fresh.stop();
  fresh.flags = ["--simd", "baseline"];
  await fresh.start();
  const { id } = await fresh.api("/v1/jobs", { ...ENDLESS, name: "moved" });
  await until(async () => (await fresh.api(`/v1/jobs/${id}`)).arithmetic, "a checkpoint");
  await fresh.stop();
  fresh.flags = ["--simd", kernels];
  await fresh.start();
  const page = await open(fresh, `#job=${id}`, CALM);
  await run(page, "moved").getByText("waiting for another CPU or version").waitFor();
  await page.locator(".inspector .warning", { hasText: "baseline/" }).waitFor();
  await run(page, "moved").hover();
  await run(page, "moved").getByRole("button", { name: "Start afresh" }).click();
  await page.locator("dialog[open]").getByRole("button", { name: "Start afresh" }).click();
  await until(async () => (await fresh.api(`/v1/jobs/${id}`)).status === "running", "it trains");
  await page.locator(".inspector .warning").waitFor({ state: "detached" });
  await until(async () => (await fresh.api(`/v1/jobs/${id}`)).arithmetic?.startsWith(`${kernels}/`), "its own kernels");
  await close(page);
  await fresh.remove();
});

test("runs that wait say their place in the queue", async () => {
  const fresh = await new Server("--workers", "1").start();
  await fresh.api("/v1/jobs", ENDLESS);
  for (const name of ["next", "later"]) await fresh.api("/v1/jobs", { ...QUICK, name });
  const page = await open(fresh, "", CALM);
  await run(page, "next").getByText("queued, next").waitFor();
  await run(page, "later").getByText("queued, 1 ahead").waitFor();
  await run(page, "later").getByRole("button", { name: "later" }).click();
  await page.getByText("In the queue, 1 ahead. Showing the forward process").waitFor();
  await picture(page); // its data
  await run(page, "next").hover();
  await run(page, "next").getByRole("button", { name: "Cancel" }).click();
  await run(page, "later").getByText("queued, next").waitFor();
  await close(page);
  await fresh.remove();
});

test("a run that diverged says where, and is tried again with smaller steps", async () => {
  const fresh = await new Server().start();
  const wild = {
    ...{ name: "wild", dataset: { name: "spiral", n: 500 }, network: { hidden_size: 64, hidden_layers: 6 } },
    training: { ...{ epochs: 200, batch_size: 100 }, learning_rate: 10, gradient_clip: 0, lr_schedule: "constant" },
  };
  const job = await fresh.api("/v1/jobs", wild);
  const failed = await fresh.finished(job.id, "failed");
  assert.equal(failed.error.code, "diverged");
  const page = await open(fresh, "", CALM);
  await run(page, "wild").getByText(`diverged at epoch ${failed.progress.epoch + 1}`).waitFor();
  await page.locator(".inspector .error", { hasText: failed.error.detail }).waitFor();
  await run(page, "wild").getByRole("button", { name: "Retry with lr ÷ 3" }).click();
  await run(page, "wild, lr ÷ 3").waitFor();
  const [again] = (await fresh.api("/v1/jobs")).items;
  assert.ok(Math.abs(again.spec.training.learning_rate - 10 / 3) < 1e-9);
  await close(page);
  await fresh.remove();
});

test("the table is sorted by the server, and measures what it is asked to", async () => {
  const page = await open(server, "#panel=runs", CALM);
  const table = page.locator(".run-table");
  const names = async () => (await table.locator("tbody th").allInnerTexts()).join();
  await until(async () => (await names()) === "second,first", "newest first");
  const onStage = () => page.evaluate(() => new URLSearchParams(location.hash.slice(1)).get("job"));
  await until(onStage, "a run is on the stage");
  const stage = await onStage();
  const other = (await server.api("/v1/jobs")).items.find((each) => each.id !== stage);
  await page.getByRole("button", { name: `Evaluate ${other.name}` }).waitFor(); // nobody has asked for it
  await page.getByLabel("Select all").check();
  await page.getByRole("group", { name: "Selected runs" }).getByRole("button", { name: "Evaluate" }).click();
  await table.locator("td small", { hasText: "floor" }).nth(3).waitFor();
  const sortOf = (address) => new URL(address).searchParams.get("sort");
  const seen = new Set([null]);
  for (const column of await table.locator("thead th button").allInnerTexts()) {
    const header = table.locator("thead th", { hasText: column.replace(/[▾▴]/, "").trim() });
    for (const way of ["", ""]) {
      const answer = page.waitForResponse((each) => each.url().includes("/v1/jobs?") && !seen.has(sortOf(each.url())));
      await header.getByRole("button").click();
      seen.add(sortOf((await answer).url())); // a table in sight asks again by itself, too
      const { items } = await (await answer).json();
      const order = items.map((each) => each.name).join();
      await until(async () => (await names()) === order, `${column}: ${order}${way}`);
      assert.match(await header.getAttribute("aria-sort"), /scending/);
    }
  }
  assert.equal(seen.size - 1, 18);
  await page.getByRole("dialog").getByLabel("Search the runs").fill("MOONS");
  await until(async () => (await names()) === "second", "the search is answered");
  await page.getByRole("dialog").getByLabel("Search the runs").fill("no such run");
  await page.getByRole("dialog").getByText("No run matches.").waitFor();
  await page.getByRole("dialog").getByLabel("Search the runs").fill("");
  await table.getByRole("button", { name: "first", exact: true }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("heading", { name: "first" }).waitFor();
  await close(page);
});

test("ticked runs lie over one another in the loss chart, and the address keeps them", async () => {
  const page = await open(server, "", CALM);
  await run(page, "second").getByRole("button", { name: "second" }).click();
  await picture(page);
  await page.getByLabel("Show the loss of first in the chart").check();
  await page.locator(".u-legend", { hasText: "first train" }).waitFor();
  await until(async () => page.url().includes("with="), "the address names it");
  await page.reload();
  await page.locator(".u-legend", { hasText: "first train" }).waitFor();
  assert.ok(await page.getByLabel("Show the loss of first in the chart").isChecked());
  await close(page);
});

test("two runs stand side by side, and samplers are compared", async () => {
  const page = await open(server, "", CALM);
  await run(page, "second").getByRole("button", { name: "second" }).click();
  await picture(page);
  await run(page, "first").hover();
  await run(page, "first").getByRole("button", { name: "B:" }).click();
  await until(async () => page.url().includes("b="), "the address names the second run");
  await until(
    () =>
      page.locator(".stage-canvas canvas").evaluate((canvas) => {
        const { width, height } = canvas;
        const half = (left) => canvas.getContext("2d").getImageData(left, 40, width / 2, height - 40).data;
        return [0, width / 2].every((left) => half(Math.floor(left)).some((value) => value > 0));
      }),
    "both halves have a picture",
  );
  await page.getByRole("button", { name: "Compare samplers" }).click();
  await page.locator(".samplers canvas").first().waitFor();
  await until(async () => (await page.locator(".samplers .waiting").count()) === 0, "all samplers have answered");
  await escape(page);
  await close(page);
});

test("after a reload the checkpoints of the past are there, and a click shows what was dreamt", async () => {
  const job = await server.train({
    ...{ name: "long", training: { epochs: 60, batch_size: 100, checkpoint_every: 5 } },
  });
  const { items } = await server.api(`/v1/models/${job.id}/checkpoints`);
  const page = await open(server, `#job=${job.id}&k=1`, CALM);
  await picture(page);
  const slider = page.getByLabel("training time");
  await slider.waitFor();
  assert.equal(Number(await slider.getAttribute("max")), items.length - 1);
  const asked = page.waitForRequest(/trajectories\.safetensors.*epoch=1\b/);
  const now = await inkOf(page);
  await slider.press("Home");
  await asked;
  await until(async () => (await inkOf(page)) !== now, "another picture");
  assert.equal(await slider.getAttribute("aria-valuetext"), "epoch 1");
  await until(async () => page.url().includes("epoch=1"), "the address names the epoch");
  await page.reload();
  await picture(page);
  assert.equal(await page.getByLabel("training time").getAttribute("aria-valuetext"), "epoch 1");
  const plot = await page.locator(".u-over").boundingBox();
  await page.mouse.click(plot.x + 0.52 * plot.width, plot.y + 20);
  const middle = items.map((each) => each.epoch).reduce((a, b) => (Math.abs(b - 31.7) < Math.abs(a - 31.7) ? b : a));
  await until(
    async () => (await slider.getAttribute("aria-valuetext")) === `epoch ${middle}`,
    `the click shows epoch ${middle}`,
  );
  await page.keyboard.press("]");
  await until(async () => (await slider.getAttribute("aria-valuetext")) !== `epoch ${middle}`, "the next one");
  await close(page);
});
