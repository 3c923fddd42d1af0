// Makes the pictures of the README, by the program itself: usage: node tests/browser/pictures.mjs DIRECTORY
import { writeFileSync } from "node:fs";
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

const dino = await train({ name: "dino", dataset: "dino" });
const VIEW = { viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" };

/** The dashboard at this address, with all that it asks for on it. */
async function shoot(name, hash, options) {
  const page = await open(server, hash, { ...VIEW, ...options });
  await picture(page);
  await page.locator(".quality tbody tr").first().waitFor();
  await page.getByLabel("training time").waitFor();
  await page.waitForTimeout(1000);
  await page.screenshot({ path: join(out, name) });
  await close(page);
}

await shoot("dashboard.png", `#job=${dino.id}&show=hue.trails&k=0.9&n=2500`, {});
await shoot("dashboard-dark.png", `#job=${classes.id}&mode=both&show=field&k=0.62&n=1500`, { colorScheme: "dark" });
await quit();
