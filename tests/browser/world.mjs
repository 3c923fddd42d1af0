// Servers with runs in every state, made once for the table of states.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY, ENDLESS, QUICK, Server } from "./harness.mjs";

/** Numbers that are the same each time, roughly normal. */
function* noise(seed = 1) {
  for (let state = seed; ; ) {
    let sum = 0;
    for (let i = 0; i < 12; i++) {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      sum += state / 0x7fffffff;
    }
    yield sum - 6;
  }
}

function csv(columns, rows = 200) {
  const next = noise();
  const lines = Array.from({ length: rows }, () => columns.map(() => next.next().value.toFixed(4)).join(","));
  return [columns.join(","), ...lines].join("\n");
}

async function upload(server, name, body, query = "") {
  const answer = await fetch(`${server.url}v1/datasets?name=${encodeURIComponent(name)}&${query}`, {
    method: "POST",
    headers: { "Content-Type": "text/csv" },
    body,
  });
  return (await answer.json()).id;
}

/**
 * A table as people have it: whole numbers, a price with many zeros and two decimals, texts, a date, and missing cells. The plan
 * determines the price, and no others.
 */
export function mixedTable(rows = 300) {
  const plans = ["free", "basic", "pro"];
  const next = noise(7);
  const lines = Array.from({ length: rows }, (_, i) => {
    const plan = i % 2 ? 0 : 1 + (i % 4) / 2;
    const age = Math.round(45 + 12 * next.next().value);
    const price = plan === 0 ? "0.00" : (10 * plan * plan + next.next().value).toFixed(2);
    const day = String(1 + (i % 28)).padStart(2, "0");
    return `${i % 25 === 3 ? "" : age},${plans[plan]},${price},2024-0${1 + (i % 6)}-${day},${i % 3 ? "no" : "yes"}`;
  });
  return ["age,plan,price,since,active", ...lines].join("\n");
}

/** A job on a table; `query` says more of the upload. */
export async function submitTable(server, name, text = mixedTable(), request = {}, query = "") {
  const id = await upload(server, name, text, query);
  return server.api("/v1/jobs", { name, dataset: { id }, training: { epochs: 20 }, ...request });
}

export const trainOnTable = async (server, ...table) => server.finished((await submitTable(server, ...table)).id);

async function trainOn(server, name, columns) {
  const id = await upload(server, name, csv(columns));
  return (await server.train({ name, dataset: { id } })).id;
}

const WILD = {
  ...{ name: "wild", dataset: { name: "spiral", n: 500 }, network: { hidden_size: 64, hidden_layers: 6 } },
  training: { ...{ epochs: 200, batch_size: 100 }, learning_rate: 10, gradient_clip: 0, lr_schedule: "constant" },
};

/** A server with one key for all; the key goes to `key`. */
export async function guardedServer() {
  const server = new Server();
  const { stdout, stderr } = spawnSync(BINARY, ["key", "write", "--scope", "write"], { encoding: "utf8" });
  const file = join(server.directory, "keys");
  writeFileSync(file, stdout, { mode: 0o600 });
  server.flags.push("--api-keys", file);
  server.key = /dn_\S+/.exec(stderr)[0];
  return server.start();
}

/** A server where each kind of run is that is over: `ids` by name. */
export async function worldServer() {
  const server = await new Server().start();
  const ids = {};
  const quick = async (name, request) => {
    ids[name] = (await server.train({ name, ...request })).id;
  };
  await quick("done");
  await quick("other", { dataset: { name: "moons", n: 500 } });
  await quick("with a warning", { preset: "sinai2022", training: { epochs: 3 } });
  await quick("classes", { dataset: ["spiral", "heart", "moons"].map((name) => ({ name, n: 200 })) });
  await quick(`long ${"name ".repeat(18)}`.trim(), {});
  await quick("数据 🙂 <b>&amp;", {});
  ids["1-D"] = await trainOn(server, "one column", ["value"]);
  ids["3-D"] = await trainOn(server, "three columns", ["age", "height", "weight"]);
  ids["16-D"] = await trainOn(
    server,
    "sixteen columns",
    Array.from({ length: 16 }, (_, i) => `measurement ${i + 1}`),
  );
  ids.table = (await trainOnTable(server, "table")).id;
  ids.wild = (await server.finished((await server.api("/v1/jobs", WILD)).id, "failed")).id;
  ids.cancelled = await cancelled(server, "cancelled");
  ids["data deleted"] = await withoutData(server);
  ids.deleted = (await server.train({ name: "deleted" })).id;
  await fetch(`${server.url}v1/jobs/${ids.deleted}`, { method: "DELETE" });
  ids.imported = await imported(server, ids.done);
  return { server, ids };
}

/** A server that trains without end, with runs that wait and one that never began. */
export async function busyServer() {
  const server = await new Server("--workers", "1").start();
  const ids = {};
  const post = async (name, request) => {
    ids[name] = (await server.api("/v1/jobs", { ...request, name })).id;
  };
  await post("running", ENDLESS);
  await server.finished(ids.running, "running");
  await post("queued", QUICK);
  await post("never begun", QUICK);
  await fetch(`${server.url}v1/jobs/${ids["never begun"]}/cancel`, { method: "POST" });
  return { server, ids };
}

async function cancelled(server, name) {
  const { id } = await server.api("/v1/jobs", { ...ENDLESS, name });
  while ((await server.api(`/v1/jobs/${id}`)).progress.epoch < 3);
  await fetch(`${server.url}v1/jobs/${id}/cancel`, { method: "POST" });
  return (await server.finished(id, "cancelled")).id;
}

/** A run whose data set is gone. */
async function withoutData(server) {
  const id = await upload(server, "gone", csv(["x", "y"]));
  const run = await server.train({ name: "data deleted", dataset: { id } });
  await fetch(`${server.url}v1/datasets/${id}`, { method: "DELETE" });
  return run.id;
}

async function imported(server, id) {
  const weights = await (await fetch(`${server.url}v1/models/${id}/weights.safetensors`)).arrayBuffer();
  const answer = await fetch(`${server.url}v1/models?name=imported`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: weights,
  });
  return (await answer.json()).id;
}
