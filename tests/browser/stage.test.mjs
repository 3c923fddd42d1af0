// The stage: scrubbed, with its layers, without a model, with a point of noise in the hand.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CALM, close, inkOf, open, picture, quit, Server, until } from "./harness.mjs";

let server;
before(async () => {
  server = await new Server().start();
  await server.train({ name: "first" });
});
after(quit);

const time = (page) => page.locator("output.time").innerText();

test("scrubbing shows another time, and the address keeps it", async () => {
  const page = await open(server, "#k=1", CALM);
  await picture(page);
  const track = page.getByLabel("diffusion time");
  await track.focus();
  await page.keyboard.press("Home");
  const noise = await time(page);
  assert.match(noise, /t = [1-9]/);
  await until(async () => page.url().includes("k=0"), "the address says where the track is");
  await page.reload();
  await picture(page);
  assert.equal(await time(page), noise);
  await page.getByLabel("play").click();
  await until(async () => (await time(page)) !== noise, "the animation runs");
  await page.getByLabel("pause").click();
  const box = await track.boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  const middle = await time(page);
  assert.match(middle, /t = (4|5)\d/);
  await close(page);
});

test("a reader who wants no motion gets none", async () => {
  const page = await open(server, "", CALM);
  await picture(page);
  const still = await time(page);
  await page.waitForTimeout(400);
  assert.equal(await time(page), still);
  await page.getByLabel("play").waitFor(); // it does not play
  await close(page);
});

test("one request brings a whole trajectory, and one the description", async () => {
  const asked = [];
  const page = await open(server, "", CALM);
  await picture(page); // what the first load asks for is over
  page.on("request", (request) => asked.push(request.url()));
  await page.reload();
  await picture(page);
  await page.keyboard.press("n");
  await page.getByText(/steps, .* parameters/).waitFor();
  const count = (part) => asked.filter((address) => address.includes(part)).length;
  assert.equal(count("/trajectories"), 1);
  assert.equal(count("/samples"), 0);
  assert.equal(count("openapi.json"), 1);
  await close(page);
});

test("the forward process and the nearest points need no model", async () => {
  const page = await open(server, "#k=0", CALM);
  await picture(page);
  const noise = await inkOf(page);
  await page.getByRole("button", { name: "Forward" }).click();
  await until(async () => (await time(page)) === "t = 0", "it starts with the data");
  await until(async () => (await inkOf(page)) < 0.95 * noise, "which lie closer together than noise");
  await page.getByLabel("diffusion time").press("End");
  assert.equal(await time(page), "t = 100");
  const asked = page.waitForRequest(/\/v1\/datasets\/spiral\/optimal/);
  await page.getByRole("button", { name: "Nearest point" }).click();
  await asked;
  assert.equal(await page.getByRole("button", { name: "Lines" }).getAttribute("aria-pressed"), "true");
  await page.getByLabel("diffusion time").press("Home");
  await until(async () => (await inkOf(page)) > 2 * noise, "a line from each point to the closest one");
  await until(async () => page.url().includes("process=optimal"), "the address says so");
  await close(page);
});

test("every layer and every mode changes the picture", async () => {
  const page = await open(server, "#k=0.5&show=", CALM);
  await picture(page);
  const print = () =>
    page.locator(".stage-canvas canvas").evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let hash = 0;
      for (const value of data) hash = (hash * 31 + value) | 0;
      return hash;
    });
  for (const name of ["Color by angle", "Density", "Field", "Lines", "Trails", "Data", "x₀", "x | x₀", "x + x₀"]) {
    const before = await print();
    await page.getByRole("button", { name, exact: true }).click();
    await until(async () => (await print()) !== before, `${name} is to be seen`);
  }
  await close(page);
});

test("a point of noise is dragged, and its landing said", async () => {
  const page = await open(server, "#k=1", CALM);
  await picture(page);
  const box = await page.locator(".stage-canvas canvas").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 30, box.y + 80);
  await page.getByText(/ddim moves the noise point \(.*\) at t = 100 to \(-?[\d.]+, -?[\d.]+\)/).waitFor();
  await page.mouse.up();
  await page.getByRole("button", { name: "Clear the path" }).click();
  await close(page);
});
