// Whether the dashboard grows: animation and a live training, for minutes. Usage: node tests/browser/soak.mjs [MINUTES]
import assert from "node:assert/strict";
import { close, ENDLESS, open, picture, quit, Server } from "./harness.mjs";

const minutes = Number(process.argv[2] ?? 10);
const WARM_UP = 2; // minutes, after which nothing may grow for good
const ALLOWED = { heap: 1.2, nodes: 1.5, listeners: 1.1 }; // the last minute, times the first after that

const server = await new Server().start();
await server.api("/v1/jobs", { ...ENDLESS, training: { ...ENDLESS.training, batch_size: 10 } }); // lasts as long
const page = await open(server, "#k=0&n=1000&show=hue.trails");
await picture(page);
const session = await page.context().newCDPSession(page);

async function measure() {
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const { nodes, jsEventListeners } = await session.send("Memory.getDOMCounters");
  return { heap: usedSize / 1e6, nodes, listeners: jsEventListeners };
}

const seen = [];
try {
  for (let minute = 1; minute <= minutes; minute++) {
    await page.waitForTimeout(60_000);
    const now = await measure();
    const epoch = await page.locator(".loss tbody tr td:first-child").last().innerText();
    console.log(
      `minute ${minute}: heap ${now.heap.toFixed(2)} MB, ${now.nodes} nodes, ${now.listeners} listeners; epoch ${epoch}`,
    );
    seen.push(now);
  }
  const [first, last] = [seen[Math.min(WARM_UP, seen.length) - 1], seen.at(-1)];
  for (const [what, most] of Object.entries(ALLOWED))
    assert.ok(last[what] <= most * first[what], `${what} grew from ${first[what]} to ${last[what]}`);
  await close(page);
} finally {
  await quit();
}
