// What nodes do not have in common, in words.
import { visit } from "./page.mjs";
import assert from "node:assert/strict";
import { test } from "node:test";

visit("");
globalThis.fetch = async () => Response.json({}, { status: 503 });
const { concerns, instructionSetsOf, isShared, nodeNameOf, nodes, runsOf } = await import("../../server/dashboard/src/nodes/nodes.ts");
const { put } = await import("../../server/dashboard/src/runs.ts");

const node = (id, change = {}) => ({
  ...{ id, name: `host-${id}:8080`, version: "0.2.0", arithmetic: ["avx512/2.6/c4", "avx2/2.6/c4"] },
  ...change,
});
const run = (id, change) => ({ id, name: id, status: "queued", node: null, warnings: [], spec: {}, ...change });

test("nodes that are alike worry nobody", () => {
  assert.equal(isShared.value, false);
  nodes.value = [node("a"), node("b")];
  assert.equal(isShared.value, true);
  assert.deepEqual(concerns.value, []);
  assert.equal(instructionSetsOf(nodes.value[0]), "avx512, avx2");
});

test("versions and arithmetic that differ are named with the nodes that have them", () => {
  nodes.value = [node("a"), node("b", { version: "0.3.0" }), node("c")];
  assert.equal(concerns.value.length, 1);
  assert.match(concerns.value[0], /different versions: 0\.2\.0 on host-a:8080, host-c:8080; 0\.3\.0 on host-b:8080\./);
  nodes.value = [node("a"), node("b", { arithmetic: ["avx2/2.6/c4"] })];
  assert.match(concerns.value[0], /compute differently: avx512 on host-a:8080; avx2 on host-b:8080\./);
  nodes.value = [node("a"), node("b", { arithmetic: ["avx512/2.6/d5"] })]; // another C library
  assert.match(concerns.value[0], /compute differently: avx512\/2\.6\/c4 on host-a:8080; avx512\/2\.6\/d5 on host-b:8080\./);
});

test("runs that no node can continue are counted, and runs know their node", () => {
  nodes.value = [node("a")];
  const warnings = [{ code: "waits_for_kernels", detail: "avx512 is not offered" }];
  put(run("1", { warnings }), run("2"), run("3", { status: "running", node: "a" }), run("4", { status: "running", node: "gone" }));
  assert.match(concerns.value[0], /^A run waits for an instruction set or version that no node offers\..* start it afresh\.$/);
  put(run("5", { warnings }));
  assert.match(concerns.value[0], /^2 runs wait .* start them afresh\.$/);
  assert.deepEqual(runsOf(nodes.value[0]).map(({ id }) => id), ["3"]);
  const names = [run("3", { node: "a" }), run("4", { node: "gone" }), run("2")].map(nodeNameOf);
  assert.deepEqual(names, ["host-a:8080", "", ""]);
});
