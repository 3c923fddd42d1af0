// What a TypeScript user does: a client from the description, a training, and everything that can be had from it.
// The compiler checks that the description says enough; the assertions, that it is true.
// usage: node out/main.js BINARY [checks that have passed before]
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import { readNpy } from "./npy.js";
import type { components, paths } from "./schema.js";
import { Server } from "./server.js";

type Schemas = components["schemas"];
type Job = Schemas["Job"];
type Created = paths["/v1/jobs"]["post"]["responses"][201]["content"]["application/json"]; // always a job

const QUICK = {
  name: "as a user would",
  preset: "sinai2022",
  dataset: { name: "spiral", n: 400 },
  diffusion: { timesteps: 20 },
  training: { epochs: 8, batch_size: 50 },
  seed: 3,
} satisfies Schemas["JobRequest"];

const server = await Server.start(process.argv[2]!);
const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl: server.url });

/** The data of an answer that must have gone well. */
function need<T>(answer: { data?: T; error?: unknown; response: Response }, status = 200): T {
  assert.equal(answer.response.status, status, JSON.stringify(answer.error));
  assert.notEqual(answer.data, undefined);
  return answer.data as T;
}

function isFinished(status: Job["status"]): boolean {
  switch (status) {
    case "succeeded":
    case "failed":
    case "cancelled":
      return true;
    case "queued":
    case "running":
      return false;
    default:
      return status satisfies never; // the compiler knows that these are all
  }
}

let job = "";
const here = () => ({ params: { path: { id: job } } });

const steps: [string, () => Promise<void>][] = [
  ["the server is ready", async () => {
    assert.deepEqual(need(await client.GET("/readyz")), { status: "ready" });
    const version = need(await client.GET("/version"));
    assert.match(version.version, /^\d+\.\d+\.\d+/);
  }],
  ["a job is validated without being queued", async () => {
    const answer = await client.POST("/v1/jobs", { params: { query: { validate_only: true } }, body: QUICK });
    const valid = need(answer);
    assert.ok(valid.id === null && "valid" in valid && valid.valid);
    assert.equal(valid.steps, 64);
  }],
  ["wrong fields are typed problems, all at once", async () => {
    // @ts-expect-error a misspelt field does not compile
    const body: Schemas["JobRequest"] = { sed: 1, training: { epochs: 0 } };
    const { error, response } = await client.POST("/v1/jobs", { body });
    assert.equal(response.status, 422);
    assert.equal(error?.code satisfies Schemas["ProblemCode"] | undefined, "invalid_fields");
    assert.deepEqual(error?.errors?.map(({ pointer }) => pointer).sort(), ["/sed", "/training/epochs"]);
    // @ts-expect-error nor does a value that is not in the list
    const other = await client.POST("/v1/jobs", { body: { preset: "best" } });
    assert.equal(other.error?.errors?.[0]?.pointer, "/preset");
  }],
  ["a job is submitted once, however often it is sent", async () => {
    const request = { params: { header: { "Idempotency-Key": "client-1" } }, body: QUICK };
    const first = await client.POST("/v1/jobs", request);
    const made = need(first, 201);
    assert.ok(made.id); // a 200 may be a validation, which has none
    job = made.id satisfies Created["id"];
    assert.equal(first.response.headers.get("Location"), `/v1/jobs/${job}`);
    assert.equal(made.spec.training?.epochs, 8);
    const again = await client.POST("/v1/jobs", request);
    const same = need(again);
    assert.equal(same.id, job);
    assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");
  }],
  ["the history is followed by long polls", async () => {
    const epochs: number[] = [];
    const losses: (number | null)[] = [];
    let status: Job["status"] = "queued";
    for (let after = 0; !isFinished(status) || epochs.length < 8; ) {
      const answer = await client.GET("/v1/jobs/{id}/history", { params: { path: { id: job }, query: { after, wait: 10 } } });
      const history = need(answer);
      assert.deepEqual([...history.columns].sort(), Object.keys(history.data).sort());
      epochs.push(...history.data.epoch);
      losses.push(...history.data.train_loss);
      after = history.next_after;
      status = history.status;
    }
    assert.equal(status, "succeeded");
    assert.deepEqual(epochs, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.ok(losses[7]! < losses[0]!, `${losses}`);
  }],
  ["an unchanged history costs nothing", async () => {
    const tag = (await client.GET("/v1/jobs/{id}/history", here())).response.headers.get("ETag")!;
    const params = { path: { id: job }, header: { "If-None-Match": tag } };
    assert.equal((await client.GET("/v1/jobs/{id}/history", { params })).response.status, 304);
  }],
  ["the job is over, and listed", async () => {
    const done = need(await client.GET("/v1/jobs/{id}", here()));
    assert.equal(done.progress.fraction, 1);
    assert.ok(done.metrics.train_loss! > 0 && done.error === null && done.queue_position === null);
    assert.ok(Date.parse(done.finished_at!) >= Date.parse(done.created_at));
    const list = need(await client.GET("/v1/jobs", { params: { query: { status: ["succeeded"], limit: 1 } } }));
    assert.deepEqual([list.items[0]?.id, list.has_more, list.next], [job, false, null]);
  }],
  ["the model says what it is", async () => {
    const model = need(await client.GET("/v1/models/{id}", here()));
    assert.deepEqual([model.epoch, model.dim, model.transform.shift.length], [8, 2, 2]);
    const latest = need(await client.GET("/v1/models/{id}", { params: { path: { id: "latest" } } }));
    assert.equal(latest.id, job);
  }],
  ["samples are the same as JSON, npy and CSV", async () => {
    const request = { params: { path: { id: job }, query: { n: 50, seed: 11 } } };
    const samples = need(await client.GET("/v1/models/{id}/samples", request));
    assert.deepEqual([samples.n, samples.dim, samples.points.length, samples.points[0]?.length], [50, 2, 50, 2]);
    const flat = samples.points.flat().map((x) => Math.fround(x as number)); // all columns are numeric
    const binary = await client.GET("/v1/models/{id}/samples", {
      ...request, headers: { Accept: "application/octet-stream" }, parseAs: "arrayBuffer",
    });
    const { shape, values } = readNpy(need(binary));
    assert.deepEqual([shape, [...values]], [[50, 2], flat]);
    const text = await client.GET("/v1/models/{id}/samples", {
      ...request, headers: { Accept: "text/csv" }, parseAs: "text",
    });
    const lines = need(text).trimEnd().split("\r\n");
    assert.equal(lines.shift(), "x,y");
    assert.deepEqual(lines.flatMap((line) => line.split(",").map((x) => Math.fround(Number(x)))), flat);
  }],
  ["trajectories go from noise to the samples", async () => {
    const query = { n: 7, seed: 11 };
    const way = need(await client.GET("/v1/models/{id}/trajectories", { params: { path: { id: job }, query } }));
    assert.deepEqual(way.timesteps, Array.from({ length: 21 }, (_, i) => 20 - i));
    assert.deepEqual([way.x.length, way.x0.length, way.x[0]?.length], [21, 20, 7]);
    const samples = need(await client.GET("/v1/models/{id}/samples", { params: { path: { id: job }, query } }));
    assert.deepEqual(way.x[20], samples.points);
    const noise = way.x[0]!.map((point) => point.map((x) => x!));
    const again = need(await client.POST("/v1/models/{id}/trajectories", { ...here(), body: { noise, seed: 11, frames: 2 } }));
    assert.deepEqual(again.x, [way.x[0], way.x[20]]);
  }],
  ["trajectories come as lines", async () => {
    const answer = await client.GET("/v1/models/{id}/trajectories", {
      params: { path: { id: job }, query: { n: 2 } }, headers: { Accept: "application/x-ndjson" }, parseAs: "text",
    });
    const frames = need(answer).trimEnd().split("\n").map((line) => JSON.parse(line) as { timestep: number; x: number[][] });
    assert.deepEqual(frames.map(({ timestep }) => timestep), Array.from({ length: 21 }, (_, i) => 20 - i));
    assert.equal(frames[0]!.x.length, 2);
  }],
  ["the data sets are there to compare with", async () => {
    const list = need(await client.GET("/v1/datasets"));
    assert.ok(["spiral", "moons", "s_curve"].every((name) => list.items.some(({ id }) => id === name)));
    const draw = need(await client.GET("/v1/datasets/{id}/points", { params: { path: { id: "moons" }, query: { n: 20 } } }));
    assert.deepEqual([draw.points.length, draw.dim], [20, 2]);
  }],
  ["a data set is uploaded as JSON and as CSV, drawn from, and trained on", async () => {
    const points = [[0, 0], [1, 0.5], [2, 1], [0, 1], [1, 1.5]];
    const upload: Schemas["Upload"] = { points, labels: ["a", "a", "a", "b", "b"] };
    const query = { name: "two lines" };
    const made = need(await client.POST("/v1/datasets", { params: { query }, body: upload }), 201);
    assert.ok("id" in made);
    assert.deepEqual([made.name, made.n, made.dim], ["two lines", 5, 2]);
    const csv = ["x,y,label", ...points.map(([x, y], i) => `${x},${y},${upload.labels![i]}`)].join("\n");
    const same = need(await client.POST("/v1/datasets", {
      params: { query }, body: csv, bodySerializer: (text) => text as string, headers: { "Content-Type": "text/csv" },
    }), 201);
    assert.ok("id" in same);
    assert.deepEqual(same.statistics, made.statistics);
    const params = { path: { id: made.id } };
    assert.equal(need(await client.GET("/v1/datasets/{id}/points", { params: { ...params, query: { n: 3 } } })).points.length, 3);
    const body = { ...QUICK, dataset: { id: made.id } } satisfies Schemas["JobRequest"];
    const trained = need(await client.POST("/v1/jobs", { params: { header: { Prefer: "wait=30" } }, body }), 201);
    assert.ok("status" in trained && trained.status === "succeeded");
    const drawn = need(await client.GET("/v1/models/{id}/samples", { params: { path: { id: trained.id }, query: { n: 2, label: "b" } } }));
    assert.deepEqual(drawn.labels satisfies string[] | null, ["b", "b"]);
    for (const id of [made.id, same.id])
      assert.equal((await client.DELETE("/v1/datasets/{id}", { params: { path: { id } } })).response.status, 204);
  }],
  ["a job that waits is cancelled and resumed", async () => {
    const endless = { ...QUICK, training: { epochs: 100000 } };
    const made = need(await client.POST("/v1/jobs", { body: endless }), 201);
    assert.ok("status" in made);
    const params = { path: { id: made.id } };
    need(await client.POST("/v1/jobs/{id}/cancel", { params }));
    let status: Job["status"] = made.status;
    while (!isFinished(status)) status = need(await client.GET("/v1/jobs/{id}", { params })).status;
    assert.equal(status, "cancelled");
    const resumed = need(await client.POST("/v1/jobs/{id}/resume", { params, body: { epochs: 100001 } }), 202);
    assert.equal(resumed.progress.epochs, 100001);
    const force = await client.DELETE("/v1/jobs/{id}", { params: { ...params, query: { force: true } } });
    assert.equal(force.response.status, 204);
  }],
  ["what is deleted is gone", async () => {
    assert.equal((await client.DELETE("/v1/jobs/{id}", here())).response.status, 204);
    const { error, response } = await client.GET("/v1/models/{id}/samples", here());
    assert.deepEqual([response.status, error?.code], [404, "no_such_model"]);
  }],
  ["the server stops in order", async () => assert.equal(await server.stop(), 0)],
];

let failed = 0;
for (const [name, step] of steps)
  try {
    await step();
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n${error instanceof Error ? error.stack : error}`);
  }
const before = Number(process.argv[3] ?? 0);
console.log(`client: ${before + steps.length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
