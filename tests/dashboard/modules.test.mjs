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
const data = await import("../../server/dashboard/src/tables/upload/upload.ts");
const form = await import("../../server/dashboard/src/new/form.ts");
const { timeOf } = await import("../../server/dashboard/src/tables/dates.ts");
const { percent, valuesOf } = await import("../../server/dashboard/src/tables/words.ts");
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
  form.datasets.value = [{ id: "0190-a", name: null, kind: "upload", source: "upload" }];
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
  const limits = (more, dataset) => {
    const run = { spec: { dataset, diffusion: { timesteps: 50 } } };
    const query = sampleQuery({ ...DEFAULTS, guidance_ratio_min: 0, guidance_ratio_max: 3, ...more }, run);
    return [query.guidance, query.guidance_ratio_min, query.guidance_ratio_max];
  };
  assert.deepEqual(limits({ guidance: 2 }, ["spiral", "moons"]), [2, 0, 3]);
  assert.deepEqual(limits({ guidance_ratio_max: -1 }, ["spiral", "moons"]), [undefined, 0, undefined]);
  assert.deepEqual(limits({ guidance: 0 }, ["spiral", "moons"]), [0, undefined, undefined]);
  assert.deepEqual(limits({ guidance: 2 }, "spiral"), [undefined, undefined, undefined]);
  visit("");
});

const PREVIEW = { valid: true, n: 3, dim: 2, columns: [], label: null, classes: null, statistics: null, rows: [] };

/** A server that answers when it is told to: answer(body, status) answers the oldest request. */
function heldServer() {
  const asked = [];
  const waiting = [];
  globalThis.fetch = (address, { body, signal }) => {
    const { pathname, searchParams } = new URL(address);
    // The form of an earlier test asks a moment after its last change.
    if (pathname === "/v1/jobs" && searchParams.has("validate_only")) return new Promise(() => {});
    const form = body instanceof FormData ? Object.fromEntries(body) : body;
    asked.push([pathname, searchParams.get("validate_only"), form]);
    return new Promise((done, fail) => {
      signal?.addEventListener("abort", () => fail(new DOMException("aborted", "AbortError")));
      waiting.push((made, status) => done(Response.json(made, { status })));
    });
  };
  return { asked, answer: (body, status = 200) => waiting.shift()(body, status) };
}

const settled = async (ready) => {
  while (!ready()) await new Promise((done) => setTimeout(done, 5));
};

function choose(file) {
  chosen.value = file;
  data.open(file);
}

test("a file that is chosen while another one is sent takes its place, and only its own data set is trained on", { timeout: 60_000 }, async () => {
  const file = (name) => new File(["x,y\n1,2\n3,4\n5,7\n"], name);
  const { asked, answer } = heldServer();
  choose(file("first.csv"));
  answer(PREVIEW);
  await settled(() => data.isCurrent.value);
  const training = data.trainOnFile();
  await settled(() => asked.length === 2);
  choose(file("second.csv"));
  answer({ id: "of-first" });
  await training;
  answer(PREVIEW);
  await settled(() => data.isCurrent.value);
  assert.deepEqual(asked.map(([path, isPreview, form]) => [path, isPreview, form.file.name]), [
    ["/v1/datasets", "true", "first.csv"],
    ["/v1/datasets", null, "first.csv"],
    ["/v1/datasets", "true", "second.csv"],
  ]);
  const again = data.trainOnFile();
  await settled(() => asked.length === 4);
  answer({ id: "of-second" });
  await settled(() => asked.length === 5);
  const [path, , request] = asked[4];
  assert.deepEqual([path, JSON.parse(request)], ["/v1/jobs", { name: "second", dataset: { id: "of-second" } }]);
  answer({ id: "job", name: "second", status: "queued" });
  await again;
  assert.equal(data.trouble.value, null);
});

test("columns that are wrong are set aside, and a change that comes meanwhile replaces the request", { timeout: 60_000 }, async () => {
  const { asked, answer } = heldServer();
  choose(new File(["a/b,c\n"], "third.csv.gz"));
  const refused = (...names) => ({
    errors: names.map((name) => ({ pointer: `/columns/${name}`, detail: `column "x": ${name} is wrong` })),
  });
  answer(refused("a~1b"), 422);
  await settled(() => asked.length === 2);
  answer(refused("c", "a~1b"), 422);
  await settled(() => asked.length === 3);
  assert.deepEqual(JSON.parse(asked[2][2].schema), { columns: { "a/b": { type: "id" }, c: { type: "id" } } });
  data.setType("c", "categorical"); // while the server still reads
  await settled(() => asked.length === 4);
  assert.deepEqual(JSON.parse(asked[3][2].schema), { columns: { c: { type: "categorical" } } });
  answer(PREVIEW); // too late
  answer(refused("a~1b"), 422);
  await settled(() => asked.length === 5);
  assert.deepEqual(data.faults.value, {});
  answer(PREVIEW);
  await settled(() => data.isCurrent.value);
  assert.deepEqual(data.faults.value, { "a/b": "a~1b is wrong" });
  data.change({ label: null, header: "false" });
  await settled(() => asked.length === 6);
  assert.deepEqual(JSON.parse(asked[5][2].schema), { columns: {}, label: null });
  answer({ errors: [...refused("c").errors, { pointer: "/points/0", detail: "a row of units" }] }, 422);
  await settled(() => data.doing.value === "");
  assert.match(data.trouble.value.message, /a row of units/);
  assert.equal(data.isCurrent.value, false);
});

test("dates are read in the format of their column", () => {
  for (const [format, text, expected] of [
    ["%Y-%m-%d", "2021-03-28", "2021-03-28T00:00:00.000Z"],
    ["%-d.%m.%Y", "1.03.2021", "2021-03-01T00:00:00.000Z"],
    ["%m/%d/%y %H:%M", "12/31/69 23:59", "2069-12-31T23:59:00.000Z"],
    ["%m/%d/%y", "12/31/70", "1970-12-31T00:00:00.000Z"],
    ["%d %B %Y", "05 August 1999", "1999-08-05T00:00:00.000Z"],
    ["%b %Y", "Feb 2000", "2000-02-01T00:00:00.000Z"],
    ["%Y-%m-%dT%H:%M:%S.%3fZ", "2021-03-28T01:02:03.045Z", "2021-03-28T01:02:03.045Z"],
    ["%Y-%m-%d %H:%M:%S.%6f", "2021-03-28 01:02:03.045678", "2021-03-28T01:02:03.045Z"],
    ["%H:%M", "13:05", "1970-01-01T13:05:00.000Z"],
    ["%-m/%-d/%Y %-I:%M %p", "3/28/2021 12:05 AM", "2021-03-28T00:05:00.000Z"],
    ["%I:%M %P", "12:05 pm", "1970-01-01T12:05:00.000Z"],
    ["%I:%M %P", "11:05 pm", "1970-01-01T23:05:00.000Z"],
  ])
    assert.equal(new Date(timeOf(format, text)).toISOString(), expected, format);
  for (const [format, text] of [["%Y-%m-%d", "28.03.2021"], ["", "2021"], ["%Y.%m", "2021-03"]])
    assert.ok(Number.isNaN(timeOf(format, text)), text);
});

test("columns in words", () => {
  const column = (part) => ({ min: null, max: null, levels: null, histogram: null, examples: [], distinct: 0, ...part });
  for (const [part, expected] of [
    [{ min: 1234.5678, max: 9, distinct: 5 }, "1,234.57 to 9"],
    [{ min: "2020-01-01", max: "2021-01-01" }, "2020-01-01 to 2021-01-01"],
    [{ levels: ["a", "b"], histogram: { counts: [1, 3] } }, "b 75%, a 25%"],
    [{ levels: ["a", "b", "c", "d", "e"], histogram: { counts: [9970, 10, 5, 10, 5] } }, "a 99.7%, b 0.1%, d 0.1%, and 2 more"],
    [{ min: 7, max: 7, examples: ["7"], distinct: 1 }, "7"],
    [{ examples: ["x1", "x2", "x3"], distinct: 40 }, "x1, x2, x3 …"],
  ])
    assert.equal(valuesOf(column(part)), expected);
  assert.deepEqual([0, 0.0004, 0.029, 0.5, 0.996, 1].map(percent), ["0%", "under 0.1%", "2.9%", "50%", "99.6%", "100%"]);
});
