// How good a run is said to be, and what becomes of runs that the server tells of.
import { visit } from "./page.mjs";
import assert from "node:assert/strict";
import { test } from "node:test";

visit("");
const { verdictOf } = await import("../../server/dashboard/src/runs/verdict.ts");
const runs = await import("../../server/dashboard/src/runs.ts");

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
  assert.deepEqual(said(evaluated(figure(0.0012, 0.001))), ["at the floor", "good"]);
  assert.deepEqual(said(evaluated(figure(0.002, 0.001))), ["2.0 × floor", "fair"]);
  assert.deepEqual(said(evaluated(figure(0.05, 0.001))), ["50 × floor", "bad"]);
  assert.deepEqual(said(evaluated(figure(0.0012, 0.001), figure(0.38, 0.96))), ["40 % covered", "bad"]);
  assert.deepEqual(said(evaluated(figure(0.0012, 0.001), figure(0.7, 0.96))), ["73 % covered", "fair"]);
  assert.deepEqual(said(evaluated(figure(0.0012, 0.001), null)), ["at the floor", "good"]);
  for (const energy of [null, figure(0.1, null), figure(0.1, 0)]) assert.equal(verdictOf(evaluated(energy)), null);
  const warned = (code) => said({ ...evaluated(figure(0.001, 0.001)), warnings: [{ code, detail: "why" }] });
  assert.deepEqual(warned("not_learned"), ["not learned", "bad"]);
  assert.deepEqual(warned("diverging"), ["diverging", "bad"]);
  assert.deepEqual(warned("few_points"), ["at the floor", "good"]);
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
