// Modules that belong to a page, in one that is only pretended: addresses, events, drawings, the form, dots.
import { visit } from "./page.mjs";
import assert from "node:assert/strict";
import { test } from "node:test";

const { pack, unpack } = await import("../../server/dashboard/src/drawing.ts");
const { DEFAULTS, format, view } = await import("../../server/dashboard/src/hash.ts");
const { EventParser } = await import("../../server/dashboard/src/events.ts");
const { dot, line, rasterOf, stampOf } = await import("../../server/dashboard/src/stage/raster.ts");
const { labelOf, limitsOf } = await import("../../server/dashboard/src/new/words.ts");
const { axesOf } = await import("../../server/dashboard/src/stage/axes.ts");
const { sampleQuery } = await import("../../server/dashboard/src/stage/trajectory.ts");
const { file: chosen } = await import("../../server/dashboard/src/new/choose-file.tsx");
const data = await import("../../server/dashboard/src/new/file.ts");
const form = await import("../../server/dashboard/src/new/form.ts");
const { schemas } = await import("../../server/dashboard/src/description.ts");

test("an address is read, and written as short as it can be", () => {
  visit("#n=500&mode=both&k=0.25&show=hue.field&job=abc");
  assert.deepEqual(view.value, { ...DEFAULTS, n: 500, mode: "both", k: 0.25, show: "hue.field", job: "abc" });
  assert.equal(format(view.value), "job=abc&n=500&mode=both&show=hue.field&k=0.25");
  assert.equal(format(DEFAULTS), "");
  visit("#n=50000000&k=7&mode=__proto__&process=back&seed=&guidance=x&unknown=1");
  assert.deepEqual(view.value, { ...DEFAULTS, n: 20000 });
  visit("#job=%E4%BD%A0&data=a%26b");
  assert.deepEqual([view.value.job, view.value.data], ["你", "a&b"]);
  visit("");
});

test("events come out whole, wherever the stream is cut", () => {
  const stream = 'id: 7\r\nevent: epoch\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: a remark\n\nid:8\ndata:x\n\nevent: status\ndata: y\n\ndata: unfinished';
  const expected = [
    { id: "7", type: "epoch", data: '{"a":\n1}' },
    { id: "8", type: "message", data: "x" },
    { id: "8", type: "status", data: "y" }, // the id stays
  ];
  assert.deepEqual(new EventParser().push(stream), expected);
  for (let cut = 1; cut < stream.length; cut++) {
    const parser = new EventParser();
    assert.deepEqual([...parser.push(stream.slice(0, cut)), ...parser.push(stream.slice(cut))], expected, `at ${cut}`);
  }
});

test("a drawing goes into an address and comes out again", async () => {
  const ring = Float32Array.from({ length: 1200 }, (_, i) => (i % 2 ? -1 + 2 * Math.sin(i - 1) : 3 + 2 * Math.cos(i)));
  const text = await pack(ring);
  assert.match(text, /^[\w-]+$/);
  const { points } = await unpack(text);
  assert.equal(points.length, 600);
  const cell = (2 * 2) / 512;
  for (const [x, y] of points) assert.ok(Math.abs(Math.hypot(x - 3, y + 1) - 2) < 1.5 * cell);
  const many = await unpack(await pack(Float32Array.from({ length: 20_000 }, (_, i) => Math.sin(i * i))));
  assert.ok(many.points.length <= 2000 && many.points.length > 1900, `${many.points.length}`);
  assert.equal((await unpack(await pack(Float32Array.from([5, 5, 5, 5])))).points.length, 2);
  for (const bad of ["", "nonsense", "AAAA", "!", text.slice(0, 10), "x".repeat(20_000)]) assert.equal(await unpack(bad), null);
});

test("a dot covers its area, and stays within its clip", () => {
  const raster = rasterOf(40, 30);
  const all = { from: 0, to: 40 };
  dot(raster, all, stampOf(5, 1), 20, 15, 0x0000ff);
  const area = () => raster.pixels.reduce((sum, pixel) => sum + (pixel >>> 24) / 255, 0);
  assert.ok(Math.abs(area() - Math.PI * 25) < 4, `${area()}`);
  assert.equal(raster.pixels[15 * 40 + 20], 0xff0000ff);
  raster.pixels.fill(0);
  for (const [x, y] of [[-50, 5], [500, 5], [5, -50], [5, 500], [0, 0], [39.9, 29.9]]) dot(raster, { from: 10, to: 20 }, stampOf(3, 1), x, y, 1);
  assert.equal(area(), 0);
});

test("a line has its length, and one that is no number is none", () => {
  const raster = rasterOf(50, 50);
  const clip = { from: 0, to: 50 };
  line(raster, clip, 5, 25, 45, 25, 0x00ff00, 255);
  const sum = () => raster.pixels.reduce((all, pixel) => all + (pixel >>> 24) / 255, 0);
  assert.ok(Math.abs(sum() - 40) < 1.5, `${sum()}`);
  raster.pixels.fill(0);
  line(raster, clip, Number.NaN, 0, 10, 10, 1, 255);
  line(raster, clip, 0, 0, Number.POSITIVE_INFINITY, 10, 1, 255);
  assert.equal(sum(), 0);
});

test("names and limits as the form says them", () => {
  assert.deepEqual(["training.lr_warmup_steps", "ema_decay", "dataset.n", "seed"].map(labelOf), ["LR warmup steps", "EMA decay", "Points", "Seed"]);
  for (const [limits, says] of [
    [{ minimum: 1, maximum: 4000 }, "1 to 4,000"],
    [{ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, "0 or more"],
    [{ exclusiveMinimum: 0, maximum: 1 }, "above 0 to 1"],
    [{ minimum: 1e-9, maximum: 10 }, "1e-9 to 10"],
    [{ minimum: 0, exclusiveMaximum: 1 }, "0 to below 1"],
    [{ maximum: 5 }, "at most 5"],
    [{}, ""],
  ])
    assert.equal(limitsOf(limits), says);
});

const usual = {
  preset: "default",
  dataset: { name: "spiral", n: 10000, seed: 0 },
  training: { epochs: 100, learning_rate: 0.005, keep_best: false },
  seed: 0,
};

test("a spec fills the form in, and the form makes the same request of it", async () => {
  const asked = [];
  globalThis.fetch = async (address, { body }) => {
    asked.push([address, JSON.parse(body)]);
    return Response.json({ valid: true, spec: usual, steps: 1, parameters: 1, warnings: [], estimate: {} });
  };
  const properties = { epochs: { type: "integer" }, learning_rate: { type: "number" }, keep_best: { type: "boolean" } };
  schemas.value = { JobRequest: { properties: { name: { type: "string" }, seed: { type: "integer" }, training: { properties } } } };
  const spec = { ...usual, name: "mine", training: { ...usual.training, epochs: 7, keep_best: true }, seed: 3 };
  await form.openForm(spec);
  assert.match(asked[0][0], /\/v1\/jobs\?validate_only=true$/);
  assert.deepEqual(form.values.value, { preset: "default", name: "mine", "training.epochs": 7, "training.keep_best": true, seed: 3 });
  const { dataset, ...rest } = form.request();
  assert.equal(dataset.seed, 0, "it was another than that of the job");
  assert.deepEqual(rest, { preset: "default", name: "mine", training: { epochs: 7, keep_best: true }, seed: 3 });
  assert.deepEqual([dataset.name, dataset.n], ["spiral", 10000]);
  assert.equal(view.value.panel, "new");
  await form.openForm({ ...spec, dataset: { name: "spiral", n: 10000, seed: 3 } });
  assert.deepEqual(form.request().dataset, { name: "spiral", n: 10000 });
  form.set("training.epochs", "12");
  form.set("seed", "many");
  form.set("name", "");
  assert.deepEqual(form.request().training.epochs, 12);
  assert.equal(form.request().seed, "many"); // the server says what is wrong with it
  assert.ok(!("name" in form.request()));
});

test("several data sets are several classes, and the last one stays", () => {
  form.values.value = {};
  form.choose("moons");
  assert.deepEqual(form.request(), { dataset: "moons" });
  form.toggleClass("dino");
  form.set("dataset.n", "50");
  assert.deepEqual(form.request().dataset, [{ name: "moons", n: 50 }, { name: "dino", n: 50 }]);
  form.toggleClass("moons");
  form.toggleClass("dino");
  assert.deepEqual(form.request().dataset, { name: "dino", n: 50 });
  form.datasets.value = [{ id: "0190-a", name: null, kind: "upload" }];
  form.choose("0190-a");
  assert.deepEqual(form.request().dataset, { id: "0190-a" });
  assert.equal(form.titleOf(form.datasets.value[0]), "Upload");
  form.chooseUpload("0190-b");
  assert.deepEqual(form.request().dataset, { id: "0190-b" });
});

test("what was chosen for another run is left out where it does not fit", () => {
  visit("#axes=2.0");
  assert.deepEqual([1, 2, 3].map(axesOf), [[0, 0], [0, 1], [2, 0]]);
  visit("#axes=1.0");
  assert.deepEqual([axesOf(2), axesOf(3)], [[0, 1], [1, 0]]);
  const wish = { ...DEFAULTS, steps: 100, guidance: 3, class: 1 };
  const asked = (dataset) => {
    const { steps, guidance, class: label } = sampleQuery(wish, { spec: { dataset, diffusion: { timesteps: 50 } } });
    return [steps, guidance, label];
  };
  assert.deepEqual(asked("spiral"), [50, undefined, undefined]);
  assert.deepEqual(asked(["spiral", "moons"]), [50, 3, 1]);
  assert.deepEqual(asked({ id: "0190-a", classes: ["a"] }), [50, 3, undefined]);
  visit("");
});

test("a file that is chosen while another one is sent takes its place, and only its own data set is trained on", { timeout: 60_000 }, async () => {
  const file = (name) => new File(["x,y\n1,2\n3,4\n5,7\n"], name);
  const [first, second] = [file("first.csv"), file("second.csv")];
  const asked = [];
  let answer;
  globalThis.fetch = (address, { body }) => {
    asked.push([new URL(address).pathname, body]);
    return new Promise((done) => {
      answer = (made) => done(Response.json(made));
    });
  };
  const settled = async (ready) => {
    while (!ready()) await new Promise((done) => setTimeout(done, 5));
  };
  const open = (one) => {
    chosen.value = one;
    data.read(one);
  };
  open(first);
  await settled(() => data.table.value);
  const training = data.trainOnFile();
  await settled(() => asked.length === 1);
  open(second);
  await settled(() => data.table.value && data.doing.value === "");
  answer({ id: "of-first" });
  await training;
  assert.deepEqual(asked, [["/v1/datasets", first]]);
  const again = data.trainOnFile();
  await settled(() => asked.length === 2);
  answer({ id: "of-second" });
  await settled(() => asked.length === 3);
  const [path, request] = asked[2];
  assert.deepEqual([path, JSON.parse(request)], ["/v1/jobs", { name: "second", dataset: { id: "of-second" } }]);
  answer({ id: "job", name: "second", status: "queued" });
  await again;
  assert.equal(data.trouble.value, null);
});
