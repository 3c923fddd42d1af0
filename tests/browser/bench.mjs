// How fast the dashboard is: the first picture, and the frames of the animation. Usage: node tests/browser/bench.mjs
import { CALM, close, open, picture, quit, Server } from "./harness.mjs";

const LOADS = 7;
const SECONDS = 6;

const sorted = (values) => [...values].sort((a, b) => a - b);
const quantile = (values, q) => sorted(values)[Math.min(values.length - 1, Math.floor(q * values.length))];

async function firstPaint(server) {
  const page = await open(server, "", CALM);
  await picture(page);
  const ms = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
  await close(page);
  return ms;
}

/** Milliseconds between frames, and those of them that the page's own work takes. */
async function frames(server, hash) {
  const page = await open(server, hash);
  await picture(page);
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const busy = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find((each) => each.name === "TaskDuration").value;
  };
  if (await page.getByLabel("play").isVisible()) await page.getByLabel("play").click();
  const before = await busy();
  const gaps = await page.evaluate(
    (seconds) =>
      new Promise((done) => {
        const times = [];
        const tick = (now) => {
          times.push(now);
          if (now - times[0] < 1000 * seconds) requestAnimationFrame(tick);
          else done(times.slice(1).map((time, i) => time - times[i]));
        };
        requestAnimationFrame(tick);
      }),
    SECONDS,
  );
  const work = (1000 * (await busy()) - 1000 * before) / gaps.length;
  await close(page);
  return { gaps, work };
}

const server = await new Server().start();
await server.train();
const paints = [];
for (let i = 0; i < LOADS; i++) paints.push(await firstPaint(server));
console.log(
  `first contentful paint: median ${quantile(paints, 0.5).toFixed(0)} ms of ${LOADS} fresh profiles, most ${Math.max(...paints).toFixed(0)} ms`,
);
for (const [what, hash] of [
  ["1 000 points", "#k=0"],
  ["5 000 points", "#k=0&n=5000"],
  ["5 000 points, x | x0, density, field, lines", "#k=0&n=5000&mode=both&show=hue.density.field.lines"],
]) {
  const { gaps, work } = await frames(server, hash);
  const rate = (1000 * gaps.length) / gaps.reduce((a, b) => a + b, 0);
  console.log(
    `${what}: ${rate.toFixed(1)} frames/s; between frames median ${quantile(gaps, 0.5).toFixed(1)} ms, p95 ${quantile(gaps, 0.95).toFixed(1)} ms; main thread ${work.toFixed(1)} ms a frame`,
  );
}
await quit();
