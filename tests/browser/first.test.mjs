// Somebody comes for the first time: one click, or a drawing, and a link to a friend.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { CALM, close, open, picture, profile, quit, run, Server, until } from "./harness.mjs";

after(quit);

test("the first visit leads to a trained spiral by clicks alone", async () => {
  const fresh = await new Server().start();
  const page = await open(fresh);
  await page.getByText("Nothing has been trained here yet").waitFor();
  await picture(page); // something dissolves before anything was clicked
  const time = () => page.locator("output.time").innerText();
  const before = await time();
  await until(async () => (await time()) !== before, "the data dissolve");
  await page.getByRole("button", { name: "star", exact: true }).click();
  await page.getByRole("button", { name: "spiral", exact: true }).click();
  await page.getByRole("button", { name: "Train a spiral" }).click();
  await page.locator(".run .status.succeeded").waitFor();
  await picture(page);
  const [job] = (await fresh.api("/v1/jobs")).items;
  assert.equal(job.spec.dataset.name, "spiral");
  await page.locator(".quality tbody tr").first().waitFor();
  await close(page);
  await fresh.remove();
});

/** A circle in the middle of a box, as a hand draws it. */
function circle(box) {
  return Array.from({ length: 40 }, (_, i) => [
    box.x + box.width / 2 + 0.3 * box.width * Math.cos(i / 6),
    box.y + box.height / 2 + 0.3 * box.width * Math.sin(i / 6),
  ]);
}

const HANDS = {
  async mouse(page, [first, ...rest]) {
    await page.mouse.move(...first);
    await page.mouse.down();
    for (const place of rest) await page.mouse.move(...place);
    await page.mouse.up();
  },
  async touch(page, places) {
    const session = await page.context().newCDPSession(page);
    const send = (type, touchPoints) => session.send("Input.dispatchTouchEvent", { type, touchPoints });
    for (const [i, [x, y]] of places.entries()) await send(i === 0 ? "touchStart" : "touchMove", [{ x, y }]);
    await send("touchEnd", []);
  },
  async pen(page, places) {
    const session = await page.context().newCDPSession(page);
    const send = (type, [x, y], buttons) =>
      session.send("Input.dispatchMouseEvent", {
        ...{ type, x, y, buttons, pointerType: "pen", force: 0.5, clickCount: 1 },
        button: type === "mouseMoved" ? "none" : "left",
      });
    await send("mousePressed", places[0], 1);
    for (const place of places.slice(1)) await send("mouseMoved", place, 1);
    await send("mouseReleased", places.at(-1), 0);
  },
};

for (const [hand, draw] of Object.entries(HANDS))
  test(`what is drawn is trained and animated: ${hand}`, async () => {
    const fresh = await new Server().start();
    const page = await open(fresh, "#panel=draw", { hasTouch: hand === "touch" });
    const area = page.getByLabel("Drawing area");
    await area.evaluate((canvas) =>
      canvas.addEventListener("pointerdown", (event) => {
        window.hand = event.pointerType;
      }),
    );
    await draw(page, circle(await area.boundingBox()));
    assert.equal(await page.evaluate(() => window.hand), hand);
    await page.getByRole("button", { name: "Train on this drawing" }).click();
    await page.locator(".run .status.running, .run .status.succeeded").waitFor();
    await until(async () => (await fresh.api("/v1/jobs")).items[0].model !== null, "there is a model");
    await picture(page);
    const time = () => page.locator("output.time").innerText();
    const before = await time();
    await until(async () => (await time()) !== before, "the picture moves");
    const [job] = (await fresh.api("/v1/jobs")).items;
    assert.equal(job.name, "my drawing");
    const points = await fresh.api(`/v1/datasets/${job.spec.dataset.id}`);
    assert.ok(points.n > 200, `${points.n} points`);
    await close(page);
    await fresh.remove();
  });

test("a link brings a drawing to a server that does not have it", async () => {
  const [ours, theirs] = [await new Server().start(), await new Server().start()];
  const ring = Array.from({ length: 600 }, (_, i) => [3 + 2 * Math.cos(i), -1 + 2 * Math.sin(i)]);
  const upload = await ours.api("/v1/datasets?name=ring", { points: ring });
  await ours.train({ name: "ring", dataset: { id: upload.id } });
  const page = await open(ours, "#k=1", { permissions: ["clipboard-read", "clipboard-write"] });
  await picture(page);
  await until(async () => page.url().includes("data="), "the address holds the points");
  await page.getByRole("button", { name: "copy the link" }).click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.ok(link.length < 4000, `${link.length} characters`);
  await close(page);

  const absent = { expected: /404/ }; // the run that the link names
  const friend = await open(theirs, new URL(link).hash, absent);
  await friend.getByText("600 points").waitFor();
  await friend.getByRole("button", { name: "Train on this drawing" }).click();
  await friend.locator(".run", { hasText: "my drawing" }).waitFor();
  const [job] = (await theirs.api("/v1/jobs")).items;
  const { statistics } = await theirs.api(`/v1/datasets/${job.spec.dataset.id}`);
  for (const axis of [0, 1]) {
    const width = statistics.max[axis] - statistics.min[axis];
    assert.ok(Math.abs(width - (statistics.max[0] - statistics.min[0])) < 0.02 * width, "still a ring");
  }
  const context = await profile(CALM);
  const asked = [];
  context.on("request", (request) => asked.push(request.url()));
  const again = await open(theirs, new URL(link).hash, absent, context); // where there is a run by now
  await again.getByText("600 points").waitFor();
  await again.waitForTimeout(300);
  const unknown = new URLSearchParams(new URL(link).hash.slice(1)).get("job");
  assert.equal(asked.filter((address) => address.endsWith(unknown)).length, 1);
  await close(again);

  await friend.goto(`${theirs.url}#data=nonsense&job=${upload.id}`);
  await friend.reload();
  await friend.locator(".run", { hasText: "my drawing" }).waitFor();
  await close(friend);
  await ours.remove();
  await theirs.remove();
});

/** How many squares of 16 pixels of the stage have something in them. */
const squaresOf = (page) =>
  page.locator(".stage-canvas canvas").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const squares = new Set();
    for (let i = 0; 4 * i < data.length; i++)
      if (data[4 * i + 3] > 100) squares.add((i % canvas.width >> 4) * 65536 + (Math.floor(i / canvas.width) >> 4));
    return squares.size;
  });

test("the animation is drawn, not only counted", async () => {
  const fresh = await new Server().start();
  await fresh.train();
  const page = await open(fresh, "#k=0", CALM);
  await picture(page);
  const noise = await squaresOf(page);
  await page.getByLabel("diffusion time").press("End");
  await until(async () => (await squaresOf(page)) < 0.8 * noise, "the points lie closer together");
  await run(page, "spiral").waitFor();
  await close(page);
  await fresh.remove();
});
