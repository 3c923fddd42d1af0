// Makes the pictures of the README, by the program itself: usage: node tests/browser/pictures.mjs DIRECTORY
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { close, open, picture, quit, Server } from "./harness.mjs";

const out = process.argv[2];
const server = await new Server().start();

const train = async (request) => server.finished((await server.api("/v1/jobs", request)).id);

async function save(name, path) {
  const answer = await fetch(new URL(path, server.url));
  writeFileSync(join(out, name), Buffer.from(await answer.arrayBuffer()));
}

const classes = await train({ name: "three classes", dataset: ["spiral", "heart", "moons"] });
const spiral = await train({ name: "spiral, default", dataset: "spiral" });
await save("spiral.gif", `/v1/models/${spiral.id}/trajectories.gif?n=300&frames=41&seed=1&fps=15&size=300`);

// The request that the README shows, which takes a minute or more.
const digits = await train({ dataset: { name: "digits", n: 10000 }, training: { epochs: 12, ema_decay: 0.998 } });
await save("digits.png", `/v1/models/${digits.id}/samples.png?scale=2`);

const dino = await train({ name: "dino", dataset: "dino" });
const penguins = readFileSync(createRequire(import.meta.url).resolve("@observablehq/sample-datasets/penguins.csv"));
const upload = await fetch(new URL("/v1/datasets?name=penguins", server.url), {
  method: "POST",
  headers: { "Content-Type": "text/csv" },
  body: penguins,
});
const table = await train({ name: "penguins", dataset: (await upload.json()).id });
const VIEW = { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" };

/** The stage and its figures are there. */
async function moving(page) {
  await picture(page);
  await page.locator(".quality tbody tr").first().waitFor();
  await page.getByLabel("training time").waitFor();
}

/** The columns of a table are, with their distances. */
const columns = (page) => page.getByText("The worst comes first").waitFor();

/** The dashboard at this address, with all that it asks for on it. */
async function shoot(name, hash, isDrawn, options = {}) {
  const page = await open(server, hash, { ...VIEW, ...options });
  await isDrawn(page);
  await page.waitForTimeout(1000);
  await page.screenshot({ path: join(out, name) });
  await close(page);
}

await shoot("dashboard.png", `#job=${dino.id}&show=hue.trails&k=0.9&n=2500`, moving);
await shoot("dashboard-dark.png", `#job=${classes.id}&mode=both&show=field&k=0.62&n=1500`, moving, { colorScheme: "dark" });
await shoot("dashboard-table.png", `#job=${table.id}&n=2000`, columns);
await quit();
