// A run of images: they form on the time track, in a film strip, and from checkpoint to checkpoint.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CALM, close, ENDLESS, goTo, open, quit, Server, until } from "./harness.mjs";
import { axe, judge, WORDS } from "./judge.mjs";

const SIDE = 8;
const EPOCHS = 60;
/** Two pictures: the left half is white, or the upper half. */
const PICTURES = {
  left: (_, column) => (column < SIDE / 2 ? 255 : 0),
  upper: (row) => (row < SIDE / 2 ? 255 : 0),
};
const NAMES = Object.keys(PICTURES);
const TRAINING = {
  name: "halves",
  diffusion: { timesteps: 100 },
  network: { channels: [16, 32] },
  training: { batch_size: 32, epochs: EPOCHS, ema_decay: 0.9, checkpoint_every: 10 },
};

/** The file of an array of bytes, as MNIST has it. */
function idx(sides, bytes) {
  const head = Buffer.alloc(4 + 4 * sides.length);
  head.writeUInt32BE(0x800 + sides.length);
  for (const [i, side] of sides.entries()) head.writeUInt32BE(side, 4 + 4 * i);
  return new Blob([head, Uint8Array.from(bytes)]);
}

async function upload(server, n, labeled) {
  const pixels = Array.from({ length: n * SIDE * SIDE }, (_, at) => {
    const place = at % (SIDE * SIDE);
    return PICTURES[NAMES[Math.floor(at / (SIDE * SIDE)) % 2]](Math.floor(place / SIDE), place % SIDE);
  });
  const form = new FormData();
  form.set("images", idx([n, SIDE, SIDE], pixels), "images");
  if (labeled) form.set("labels", idx([n], Array.from({ length: n }, (_, i) => i % 2)), "labels");
  const answer = await fetch(`${server.url}v1/datasets?name=halves`, { method: "POST", body: form });
  assert.equal(answer.status, 201);
  return (await answer.json()).id;
}

let server, id;
before(async () => {
  server = await new Server("--workers", "1").start();
  const dataset = await upload(server, 400, true);
  id = (await server.api("/v1/jobs", { ...TRAINING, dataset })).id;
  await server.finished(id);
});
after(quit);

/**
 * The images on the stage, line by line: of each, its mean in the left, right, upper and lower half. They are what is opaque, and
 * are apart from each other.
 */
const tiles = (page) =>
  page.locator(".stage-canvas canvas").evaluate((canvas) => {
    const { width, height } = canvas;
    if (width === 0 || height === 0) return [];
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const isOpaque = (x, y) => data[4 * (y * width + x) + 3] === 255;
    const runs = (length, isFull) => {
      const found = [];
      for (let at = 0, from = -1; at <= length; at++) {
        const full = at < length && isFull(at);
        if (full && from < 0) from = at;
        if (!full && from >= 0) {
          if (at - from > 12) found.push([from, at]); // otherwise it is a letter
          from = -1;
        }
      }
      return found;
    };
    const full = (count, is) => Array.from({ length: count }, (_, k) => is(k)).filter(Boolean).length;
    const rows = runs(height, (y) => full(width, (x) => isOpaque(x, y)) > 20);
    const columns = runs(width, (x) => full(height, (y) => isOpaque(x, y)) > 20);
    const mean = (left, right, top, bottom) => {
      let [sum, count] = [0, 0];
      for (let y = Math.round(top); y < bottom; y++)
        for (let x = Math.round(left); x < right; x++, count++) sum += data[4 * (y * width + x)];
      return sum / count;
    };
    return rows.map(([top, bottom]) =>
      columns.map(([left, right]) => {
        const [x, y] = [(left + right) / 2, (top + bottom) / 2];
        return {
          left: mean(left, x, top, bottom),
          right: mean(x, right, top, bottom),
          upper: mean(left, right, top, y),
          lower: mean(left, right, y, bottom),
        };
      }),
    );
  });

/** Which picture it is; "" for noise. */
function kindOf({ left, right, upper, lower }) {
  if (left - right > 130 && Math.abs(upper - lower) < 60) return "left";
  if (upper - lower > 130 && Math.abs(left - right) < 60) return "upper";
  return "";
}
const kinds = async (page) => (await tiles(page)).map((line) => line.map(kindOf));
/** Lines are rows, or columns if there is more room for them. */
const byClass = (all) => (all.length === 2 ? all : (all[0] ?? []).map((_, i) => all.map((line) => line[i])));
const shows = (page, expected, what) =>
  until(async () => JSON.stringify(byClass(await kinds(page))) === JSON.stringify(expected), what);

const SIX = NAMES.map((name) => Array(6).fill(name));
const NOISE = NAMES.map(() => Array(6).fill(""));

/** How many grays there are on the stage. */
const grays = (page) =>
  page.locator(".stage-canvas canvas").evaluate((canvas) => {
    if (canvas.width === 0 || canvas.height === 0) return 0;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const found = new Set();
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) found.add(data[i]);
    return found.size;
  });
const isData = async (page) => [2, 3].includes(await grays(page)); // black, white, and what is between images

test("each class is a line of the grid, which forms on the time track", async () => {
  const page = await open(server, `#job=${id}`, CALM);
  await shows(page, SIX, "six images of each class");
  await page.keyboard.press("Home");
  await shows(page, NOISE, "the start is noise");
  await page.keyboard.press("End");
  await shows(page, SIX, "the end are the images");
  await page.getByRole("button", { name: "x | x₀" }).click();
  await until(async () => (await kinds(page)).flat().filter(Boolean).length === 24, "both have the images at the end");
  await page.getByRole("combobox", { name: "Class" }).selectOption("1");
  await page.getByRole("button", { name: "x", exact: true }).click();
  const one = Array.from({ length: 6 }, () => Array(6).fill("upper"));
  await until(async () => JSON.stringify(await kinds(page)) === JSON.stringify(one), "36 images of one class");
  await close(page);
});

test("the slider of the guidance keeps the noise", async () => {
  const page = await open(server, `#job=${id}&seed=7`, CALM);
  const slider = page.getByRole("slider", { name: "Guidance" });
  await slider.waitFor();
  await until(async () => (await slider.inputValue()) === "2", "the model's own value");
  await shows(page, SIX, "six images of each class");
  const before = JSON.stringify(await tiles(page));
  const asked = page.waitForRequest(/trajectories\.safetensors/);
  await slider.focus();
  await page.keyboard.press("ArrowUp");
  const query = new URL((await asked).url()).searchParams;
  assert.deepEqual([query.get("guidance"), query.get("seed"), query.get("balance")], ["2.5", "7", "true"]);
  await until(async () => JSON.stringify(await tiles(page)) !== before, "other images");
  await shows(page, SIX, "of the same classes");
  await until(async () => page.url().includes("guidance=2.5"), "the link has the guidance");
  await close(page);
});

test("all classes come from the same noises, which no guidance changes", async () => {
  const page = await open(server, `#job=${id}&k=0`, CALM);
  const chip = page.getByRole("button", { name: "Same noise" });
  await shows(page, NOISE, "the start is noise");
  const lines = async () => byClass(await tiles(page));
  const [left, upper] = await lines();
  assert.deepEqual(left, upper);
  assert.equal(new Set(left.map((each) => JSON.stringify(each))).size, 6, "another one in each column");
  const slide = async (key) => {
    const asked = page.waitForResponse(/trajectories\.safetensors/);
    await page.getByRole("slider", { name: "Guidance" }).press(key);
    await asked;
    await page.locator(".stage-canvas canvas:not(.stale)").waitFor();
  };
  await slide("End");
  assert.deepEqual(await lines(), [left, left]);
  await slide("Home"); // without guidance, the class has no effect
  assert.deepEqual(await lines(), [left, left]);
  await page.keyboard.press("Escape");
  await page.keyboard.press("End");
  await until(async () => (await kinds(page)).flat().every(Boolean), "images without a class");
  const [one, other] = await lines();
  assert.deepEqual(one, other);
  await slide("End");
  await shows(page, SIX, "six images of each class");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Home");
  const [answer] = await Promise.all([page.waitForResponse(/trajectories\.safetensors/), chip.click()]);
  assert.equal(new URL(answer.url()).searchParams.get("shared_noise"), null);
  await until(async () => {
    const [a, b] = await lines();
    return JSON.stringify(a[1]) !== JSON.stringify(b[1]);
  }, "each image has a noise of its own");
  await until(async () => page.url().includes("own=1"), "the link says so");
  await close(page);
});

test("the nearest images of the data stand beside an image that is chosen", async () => {
  const page = await open(server, `#job=${id}`, CALM);
  await shows(page, SIX, "six images of each class");
  const answers = [];
  page.on("response", async (each) => each.url().endsWith("/nearest") && answers.push(await each.json()));
  const images = page.locator(".spots button");
  assert.equal(await images.count(), 12);
  const panel = page.getByRole("region", { name: "Nearest images of the data" });
  const near = panel.locator("li:not(:first-child)");
  const said = () =>
    near.evaluateAll((all) => all.map((each) => [each.querySelector("span").textContent, each.querySelector("small").textContent].join()));
  const seen = (canvas) => {
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return [width, height, data[4 * (width * (height - 1))], data[4 * (width - 1)]]; // the corners below and at the right
  };
  const isThere = async (name, corners, searches) => {
    await until(async () => answers.length === searches && (await near.count()) === 5, "five images");
    await until(async () => (await near.first().locator("span").textContent()) === name, "of the class");
    const [found] = answers.at(-1).nearest;
    assert.deepEqual(await said(), found.map((each) => `${each.label},${each.distance.toFixed(3)}`));
    assert.ok(found.every((each) => each.label === name && each.distance < 0.2));
    assert.deepEqual(await near.first().locator("canvas").evaluate(seen), [SIDE, SIDE, ...corners]);
    await panel.getByText(`${name}, image`).waitFor();
  };
  await page.getByRole("button", { name: "0, image 3" }).click();
  await isThere("0", [255, 0], 1);
  assert.equal(await panel.evaluate((element) => document.activeElement.closest(".neighbors") === element), false);
  // By keys: all images are one stop of the tab key.
  const isFocused = (name) => page.evaluate((label) => document.activeElement.getAttribute("aria-label") === label, name);
  assert.ok(await isFocused("0, image 3"));
  const box = async (name) => page.getByRole("button", { name, exact: true }).boundingBox();
  const [from, to] = [await box("0, image 3"), await box("1, image 3")];
  await page.keyboard.press(to.x > from.x + 2 ? "ArrowRight" : "ArrowDown");
  assert.ok(await isFocused("1, image 3"));
  await page.keyboard.press("Enter");
  await isThere("1", [0, 255], 2);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.closest(".spots")), null);
  await page.keyboard.press("Shift+Tab");
  assert.ok(await isFocused("1, image 3"));
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  assert.ok(await isFocused("1, image 3"));
  assert.equal(answers.length, 2);
  await close(page);
});

test("of a run of digits, those that it was trained on are searched", async () => {
  const dataset = { name: "digits", n: 200, seed: 3 };
  const training = { epochs: 1, batch_size: 50 };
  const run = await server.api("/v1/jobs", { dataset, network: { channels: [16, 16] }, diffusion: { timesteps: 20 }, training });
  await server.finished(run.id);
  const page = await open(server, `#job=${run.id}`, CALM);
  await page.locator(".stage-canvas canvas:not(.stale)").waitFor();
  const asked = page.waitForRequest(/\/v1\/datasets\/digits\/nearest$/);
  const pictures = [];
  page.on("request", (each) => /digits\/images\/\d+\.png/.test(each.url()) && pictures.push(new URL(each.url())));
  await page.getByRole("button", { name: "7, image 1" }).click();
  const body = JSON.parse((await asked).postData());
  assert.deepEqual([body.n, body.seed, body.k, body.points.length, body.points[0].length], [200, 3, 5, 1, 784]);
  await page.locator(".neighbors li").nth(5).waitFor();
  assert.ok(pictures.length === 5 && pictures.every((each) => each.searchParams.get("seed") === "3"));
  const { nearest } = await server.api("/v1/datasets/digits/nearest", body);
  assert.deepEqual(
    pictures.map((each) => Number(/(\d+)\.png/.exec(each.pathname)[1])).sort(),
    nearest[0].map((each) => each.index).sort(),
  );
  await close(page);
});

test("the data turn into noise on the stage", async () => {
  const page = await open(server, `#job=${id}`, CALM);
  await shows(page, SIX, "six images of each class");
  const [answer] = await Promise.all([
    page.waitForResponse(/forward\.safetensors/),
    page.getByRole("button", { name: "Forward" }).click(),
  ]);
  const { searchParams } = new URL(answer.url());
  assert.deepEqual([searchParams.get("schedule"), searchParams.get("timesteps"), searchParams.get("n")], ["cosine", "100", "12"]);
  const label = () => page.locator(".stage-canvas canvas").getAttribute("aria-label");
  await until(async () => (await label()) === "12 images of halves, dissolving into noise", "the forward process");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Home");
  await until(() => isData(page), "it begins with the data");
  await page.keyboard.press("End");
  await until(async () => (await grays(page)) > 100 && (await kinds(page)).flat().every((each) => each === ""), "it ends as noise");
  assert.equal(await page.locator(".spots button").count(), 0);
  assert.equal(await page.getByRole("slider", { name: "Guidance" }).count(), 0);
  assert.match(await page.getByRole("link", { name: "GIF" }).getAttribute("href"), /datasets\/[-0-9a-f]+\/forward\.gif\?.*n=12/);
  await page.getByRole("tab", { name: "Steps" }).click();
  await until(async () => (await kinds(page)).map((line) => line[0]).join() === NAMES.join(), "a strip begins with the data");
  await page.getByRole("tab", { name: "Samples" }).click();
  await page.getByRole("button", { name: "Model", exact: true }).click();
  await page.keyboard.press("Escape");
  await page.keyboard.press("End");
  await shows(page, SIX, "the model again");
  await close(page);
});

test("the interval of the guidance is asked for, and shown where there is guidance", async () => {
  const page = await open(server, `#job=${id}&seed=7&guidance=2`, CALM);
  const [low, high] = ["Guided from", "Guided to"].map((name) => page.getByRole("spinbutton", { name }));
  await until(async () => (await high.inputValue()) === "5", "the model's own limit");
  await shows(page, SIX, "six images of each class");
  const asked = page.waitForRequest(/trajectories\.safetensors/);
  await high.fill("3");
  await high.press("Enter");
  const query = new URL((await asked).url()).searchParams;
  assert.deepEqual(
    ["guidance", "guidance_ratio_min", "guidance_ratio_max"].map((name) => query.get(name)),
    ["2", null, "3"],
  );
  await shows(page, SIX, "of the same classes");
  await until(async () => page.url().includes("guidance_ratio_max=3"), "the link has the limit");
  await low.fill("9");
  await low.press("Enter");
  await until(async () => (await low.inputValue()) === "3", "it is at most the other limit");
  await page.getByRole("spinbutton", { name: "Guidance" }).fill("1");
  await page.getByRole("spinbutton", { name: "Guidance" }).press("Enter");
  await until(async () => (await low.count()) + (await high.count()) === 0, "there is no guidance");
  await close(page);
});

test("a film strip has the steps of an image of each class", async () => {
  const page = await open(server, `#job=${id}&tab=steps`, CALM);
  await until(async () => (await kinds(page)).map((line) => line.at(-1)).join() === NAMES.join(), "they end as images");
  const lines = await kinds(page);
  assert.deepEqual(
    lines.map((line) => [line.length, line[0]]),
    [
      [11, ""],
      [11, ""],
    ],
  );
  await close(page);
});

test("the checkpoints are shown side by side", async () => {
  const page = await open(server, `#job=${id}&tab=checkpoints`, CALM);
  const { items } = await server.api(`/v1/models/${id}/checkpoints`);
  const count = Math.min(8, items.length);
  assert.ok(count > 2);
  const drawn = async () => byClass(await kinds(page));
  await until(async () => (await drawn()).map((line) => line.length).join() === [count, count].join(), "one image of each");
  assert.deepEqual(
    (await drawn()).map((line) => line.at(-1)),
    NAMES,
  );
  await close(page);
});

test("the quality of images stands there, and which classes are seen in them", async () => {
  const page = await open(server, `#job=${id}`, CALM);
  const { images } = await server.api(`/v1/models/${id}/evaluation?n=500`);
  const cells = page.locator(".confusion tbody td");
  await cells.first().waitFor();
  const seen = await cells.evaluateAll((all) => all.map((cell) => Number(cell.textContent)));
  assert.deepEqual(seen, images.confusion.flat());
  assert.equal(seen.reduce((sum, count) => sum + count), images.n);
  const metrics = await page.locator(".quality tbody th").allTextContents();
  assert.deepEqual(metrics, ["Fréchet distance", "right label", "nearest training image"]);
  await close(page);
});

test("the data are shown instead, and while a run waits", async () => {
  const page = await open(server, `#job=${id}`, CALM);
  await until(async () => (await grays(page)) > 3, "what the model draws is not quite black or white");
  await page.getByRole("button", { name: "Data", exact: true }).click();
  const label = () => page.locator(".stage-canvas canvas").getAttribute("aria-label");
  assert.equal(await label(), "Images of the data of halves");
  await until(() => isData(page), "black and white, as the data are");
  await close(page);
  const endless = await server.api("/v1/jobs", ENDLESS);
  const dataset = await upload(server, 60, false);
  const waits = await server.api("/v1/jobs", { ...TRAINING, name: "waits", dataset });
  const other = await open(server, `#job=${waits.id}`, CALM);
  await other.getByText("Showing the training data meanwhile.").waitFor();
  await until(() => isData(other), "the data of the run that waits");
  await close(other);
  for (const each of [waits, endless]) await fetch(`${server.url}v1/jobs/${each.id}?force=true`, { method: "DELETE" });
});

test("a run of images is reached and read on every window", async () => {
  for (const colorScheme of ["light", "dark"])
    for (const viewport of [
      { width: 1366, height: 625 },
      { width: 1440, height: 900 },
      { width: 400, height: 800 },
    ]) {
      const page = await open(server, `#job=${id}`, { ...CALM, viewport, colorScheme, bypassCSP: true });
      for (const tab of ["", "tab=steps", "tab=checkpoints", "process=forward&k=0.3", "a choice"]) {
        await goTo(page, `job=${id}&${tab}`);
        await page.locator(".stage-canvas canvas:not(.stale)").waitFor();
        if (tab === "a choice") {
          await page.locator(".spots button").nth(3).click();
          await page.locator(".neighbors li").nth(5).waitFor();
        }
        const where = `${colorScheme} ${viewport.width} ${tab}`;
        assert.deepEqual(await axe(page), [], where);
        assert.deepEqual(await page.evaluate(judge, { words: WORDS }), [], where);
      }
      await close(page);
    }
});
