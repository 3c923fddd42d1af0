// What a browser keeps of one URL in several formats.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { close, open, quit, Server } from "./harness.mjs";

let server;
before(async () => {
  server = await new Server().start();
  await server.train({ name: "kept", preset: "sinai2022", training: { epochs: 2 } });
});
after(quit);

const KINDS = ["application/json", "text/csv", "image/svg+xml", "image/png", "text/plain", "application/octet-stream"];

test("each format of a URL is itself, whatever came before it", async () => {
  const page = await open(server);
  for (const path of ["/v1/models/latest/samples?n=3", "/v1/datasets/moons/points?n=3"]) {
    const seen = await page.evaluate(
      async ([url, kinds]) => {
        const seen = [];
        for (const kind of [...kinds, ...kinds.toReversed()]) {
          const answer = await fetch(url, { headers: { Accept: kind } });
          const type = answer.headers.get("Content-Type");
          seen.push([kind, type, (await answer.text()).slice(0, 4)]);
        }
        return seen;
      },
      [path, KINDS],
    );
    const starts = new Map(seen.map(([kind, , start]) => [kind, start]));
    for (const [kind, type, start] of seen) {
      assert.ok(type.startsWith(kind), `${path}: ${type} for ${kind}`);
      assert.equal(start, starts.get(kind));
    }
    assert.equal(starts.get("application/json")[0], "{");
    assert.equal(starts.get("text/csv").slice(0, 3), "x,y");
    assert.equal(starts.get("image/svg+xml"), "<svg");
    assert.equal(new Set(starts.values()).size, KINDS.length);
  }
  await close(page);
});
