// How fast the dashboard is: the first picture, and the frames of the animation. Usage: node tests/browser/bench.mjs
import { loadavg } from "node:os";
import { CALM, close, open, picture, profile, quit, Server } from "./harness.mjs";

const LOADS = 9;
const SECONDS = 6;

const sorted = (values) => [...values].sort((a, b) => a - b);
const quantile = (values, q) => sorted(values)[Math.min(values.length - 1, Math.floor(q * values.length))];
const load = () => `load ${loadavg()[0].toFixed(1)}`;

/** Of a page that nothing has been kept of, in a process of its own. */
async function firstPaint(server, path) {
  const page = await (await profile(CALM)).newPage();
  await page.goto(server.url + path, { waitUntil: "commit" });
  const painted = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
  const ms = await (await page.waitForFunction(painted)).jsonValue();
  await page.context().close();
  return ms;
}

/** Milliseconds between frames, those that the page's script takes of them, and those that its main thread does. */
async function frames(server, hash) {
  const context = await profile();
  await context.addInitScript(() => {
    const ask = window.requestAnimationFrame.bind(window);
    window.scripted = 0;
    window.requestAnimationFrame = (work) =>
      ask((now) => {
        const begun = performance.now();
        work(now);
        window.scripted += performance.now() - begun;
      });
  });
  const page = await open(server, hash, {}, context);
  await picture(page);
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable");
  const busy = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find((each) => each.name === "TaskDuration").value;
  };
  if (await page.getByLabel("play").isVisible()) await page.getByLabel("play").click();
  const before = await busy();
  const { gaps, scripted } = await page.evaluate(
    (seconds) =>
      new Promise((done) => {
        const times = [];
        const start = window.scripted;
        const tick = (now) => {
          times.push(now);
          if (now - times[0] < 1000 * seconds) requestAnimationFrame(tick);
          else done({ gaps: times.slice(1).map((time, i) => time - times[i]), scripted: window.scripted - start });
        };
        requestAnimationFrame(tick);
      }),
    SECONDS,
  );
  const work = (1000 * (await busy()) - 1000 * before) / gaps.length;
  await close(page);
  return { gaps, script: scripted / gaps.length, work };
}

const server = await new Server().start();
await server.train();
const pages = [
  { what: "a page of one line", path: "livez", paints: [] }, // what the browser needs for itself
  { what: "the dashboard", path: "", paints: [] },
];
for (let i = 0; i < LOADS; i++) for (const { path, paints } of pages) paints.push(await firstPaint(server, path));
for (const { what, paints: ms } of pages)
  console.log(
    `first contentful paint, ${what}: least ${Math.min(...ms).toFixed(0)} ms, median ${quantile(ms, 0.5).toFixed(0)} ms of ${LOADS} fresh profiles (${load()})`,
  );
for (const [what, hash] of [
  ["1 000 points", "#k=0"],
  ["5 000 points", "#k=0&n=5000"],
  ["5 000 points, x | x0, density, field, lines", "#k=0&n=5000&mode=both&show=hue.density.field.lines"],
]) {
  const { gaps, script, work } = await frames(server, hash);
  const rate = (1000 * gaps.length) / gaps.reduce((a, b) => a + b, 0);
  console.log(
    `${what}: ${rate.toFixed(1)} frames/s; between frames median ${quantile(gaps, 0.5).toFixed(1)} ms, p95 ${quantile(gaps, 0.95).toFixed(1)} ms; script ${script.toFixed(1)} ms a frame, main thread ${work.toFixed(1)} ms (${load()})`,
  );
}
await quit();
