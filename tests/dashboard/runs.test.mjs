// How good a run is said to be, and what becomes of runs that the server tells of.
import { visit } from "./page.mjs";
import assert from "node:assert/strict";
import { test } from "node:test";

visit("");
let serve = async () => Response.json({}, { status: 503 });
globalThis.fetch = (...request) => serve(...request); // the client of the API keeps the one that it finds
const { verdictOf } = await import("../../server/dashboard/src/runs/verdict.ts");
const runs = await import("../../server/dashboard/src/runs.ts");

const { stream } = await import("../../server/dashboard/src/events.ts");
const { evaluate, evaluateUnasked, waiting } = await import("../../server/dashboard/src/evaluations.ts");
const listing = await import("../../server/dashboard/src/runs/listing.ts");
const { effect } = await import("../../server/dashboard/node_modules/@preact/signals/dist/signals.mjs");

const until = async (ready) => {
  while (!ready()) await new Promise((done) => setTimeout(done, 5));
};
const figure = (value, floor) => ({ value, floor });
const run = (change = {}) => ({
  ...{ id: "a", name: "a run", status: "succeeded", error: null, warnings: [], evaluation: null, spec: {} },
  ...{ progress: { epoch: 3 } },
  ...change,
});
const evaluated = (energy, coverage = figure(1, 1)) =>
  run({ evaluation: { n: 500, curve_distance: null, energy_distance: energy, coverage } });

test("a verdict says how far a run is from what data itself gets", () => {
  const said = (each) => [verdictOf(each)?.text, verdictOf(each)?.tone];
  assert.equal(verdictOf(run()), null); // that it has ended says nothing
  assert.equal(verdictOf(run({ status: "running" })), null);
  assert.deepEqual(said(evaluated(figure(0.0012, 0.001))), ["as good as real data", "good"]);
  assert.deepEqual(said(evaluated(figure(0.002, 0.001))), ["2.0 × floor", "fair"]);
  assert.deepEqual(said(evaluated(figure(0.05, 0.001))), ["50 × floor", "bad"]);
  assert.deepEqual(said(evaluated(figure(0.0012, 0.001), figure(0.38, 0.96))), ["40% covered", "bad"]);
  assert.deepEqual(said(evaluated(figure(0.0012, 0.001), figure(0.7, 0.96))), ["73% covered", "fair"]);
  assert.deepEqual(said(evaluated(figure(0.0012, 0.001), null)), ["as good as real data", "good"]);
  assert.doesNotMatch(verdictOf(evaluated(figure(0.0012, 0.001), null)).doc, /covered/); // nobody has measured it
  assert.match(verdictOf(evaluated(figure(0.0012, 0.001))).doc, /cover 100% of the data/);
  for (const energy of [null, figure(0.1, null), figure(0.1, 0)]) assert.equal(verdictOf(evaluated(energy)), null);
  const warned = (code) => said({ ...evaluated(figure(0.001, 0.001)), warnings: [{ code, detail: "why" }] });
  assert.deepEqual(warned("not_learned"), ["not learned", "bad"]);
  assert.deepEqual(warned("diverging"), ["diverging", "bad"]);
  assert.deepEqual(warned("few_points"), ["as good as real data", "good"]);
  assert.deepEqual(said(run({ status: "failed", error: { code: "diverged", detail: "the loss" } })), ["diverged", "bad"]);
});

test("a run that was forgotten does not come back, and a small picture outlives a refresh", () => {
  runs.put(run({ sparkline: [3, 2, 1] }), run({ id: "b" }));
  runs.put(run({ progress: { epoch: 4 } }));
  assert.deepEqual(runs.known.value.a.sparkline, [3, 2, 1]);
  assert.equal(runs.known.value.a.progress.epoch, 4);
  runs.noteEvaluation("a", 3, { n: 1 }); // of another epoch
  assert.equal(runs.known.value.a.evaluation, null);
  runs.forget("a");
  runs.put(run());
  assert.deepEqual(Object.keys(runs.known.value), ["b"]);
});

test("an evaluation that fails is asked for once, and again when it is wanted or the connection is back", { timeout: 60_000 }, async () => {
  const ended = run({ id: "e", model: "e" });
  let asked = 0;
  serve = async () => {
    asked++;
    return Response.json({ detail: "too busy" }, { status: 503 });
  };
  const over = async (times) => {
    await until(() => asked === times && waiting.peek().length === 0);
    await new Promise((done) => setImmediate(done));
    assert.deepEqual([asked, waiting.peek()], [times, []]);
  };
  const stop = effect(() => evaluateUnasked(ended));
  await over(1);
  assert.equal(runs.notice.value.text, "");
  evaluate(ended);
  await over(2);
  assert.equal(runs.notice.value.text, "too busy");
  stream.value = "lost";
  await over(2);
  stream.value = "live";
  await over(3);
  stop();
});

test("imported models alone are all listed, however many runs there are", async () => {
  const model = (id) => ({ ...run({ id }), epoch: 1, created_at: "2020-01-01T00:00:00Z", links: {} });
  const limits = [];
  serve = async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/v1/models") return Response.json({ items: [model("m2"), model("m1")], next: null });
    limits.push(searchParams.get("limit"));
    return Response.json({ items: [run({ id: "z" })], next: "more", counts: { succeeded: 999 } });
  };
  runs.known.value = {};
  visit("#job=z");
  await listing.loadJobs();
  await listing.loadImports();
  const ids = () => listing.rows.value.map(({ id }) => id);
  assert.deepEqual(ids(), ["z"], "they are older than the part of the list that is here");
  listing.chosen.value = ["imported"];
  assert.deepEqual(ids(), ["m2", "m1"]);
  await listing.loadJobs();
  assert.deepEqual([ids(), limits], [["m2", "m1"], ["50", "1"]]);
  listing.chosen.value = [];
});

test("only a run that the server does not know is said to be gone", async () => {
  runs.known.value = { g: run({ id: "g" }) };
  serve = async () => Response.json({ detail: "not now" }, { status: 503 });
  await assert.rejects(runs.refreshJob("g"), /not now/);
  assert.ok(runs.known.value.g);
  serve = async () => Response.json({ detail: "no such job" }, { status: 404 });
  await runs.refreshJob("g");
  assert.ok(!runs.known.value.g);
});

test("the same notice twice is two notices", () => {
  const numbers = ["Copied.", "Copied."].map((text) => {
    runs.say(text);
    return runs.notice.value.number;
  });
  assert.equal(numbers[1], numbers[0] + 1);
});
