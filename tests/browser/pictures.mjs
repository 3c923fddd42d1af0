// Makes the pictures of the README, by the program itself: usage: node tests/browser/pictures.mjs DIRECTORY
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { close, open, picture, quit, Server, until } from "./harness.mjs";

const out = process.argv[2];
const server = await new Server().start();

async function train(request) {
  const job = await server.api("/v1/jobs", request);
  await until(async () => (await server.api(`/v1/jobs/${job.id}`)).status === "succeeded", "the job is done");
  return job;
}

async function save(name, path) {
  const answer = await fetch(new URL(path, server.url));
  writeFileSync(join(out, name), Buffer.from(await answer.arrayBuffer()));
}

const classes = await train({ name: "three classes", dataset: ["spiral", "heart", "moons"] });
const spiral = await train({ name: "spiral, default", dataset: "spiral" });
await save("spiral.gif", `/v1/models/${spiral.id}/trajectories.gif?n=300&frames=41&seed=1&fps=15&size=300`);

const dino = await train({ name: "dino", dataset: "dino" });
const page = await open(server, `#job=${dino.id}&show=density&k=1&n=1500`, {
  viewport: { width: 1280, height: 800 },
  reducedMotion: "reduce",
});
await picture(page);
await page.locator(".quality tbody tr").first().waitFor();
await page.waitForTimeout(1000);
await page.screenshot({ path: join(out, "dashboard.png") });
await close(page);

const dark = await open(server, `#job=${classes.id}&mode=both&show=field&k=0.62&n=1500`, {
  viewport: { width: 1280, height: 800 },
  colorScheme: "dark",
  reducedMotion: "reduce",
});
await picture(dark);
await dark.locator(".quality tbody tr").first().waitFor();
await dark.waitForTimeout(1000);
await dark.screenshot({ path: join(out, "dashboard-dark.png") });
await close(dark);
await quit();
