// The list and the table of runs, when there are many, when models come from elsewhere, and when runs go.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CALM, close, ENDLESS, goTo, open, picture, QUICK, quit, run, Server, until } from "./harness.mjs";

const MANY = 500;

/** Copies of a finished run, older than it, written into the database of a server that stands still. */
const COPY = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("""
    WITH RECURSIVE number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < ?)
    INSERT INTO job (id, name, dataset, spec, status, epochs, steps, epoch, step, seconds, train_loss, val_loss, words,
                     created_at, finished_at)
    SELECT printf('01700000-0000-7000-8000-%012x', 1000 - i), 'copy ' || i, dataset, spec, 'cancelled', epochs, steps, epoch, step,
           seconds, train_loss, i * 0.01, 'copy ' || i || char(10) || words, created_at - i * 86400000,
           created_at - i * 86400000 FROM job, number WHERE job.name = 'newest'""", (int(sys.argv[2]),))
db.execute("INSERT INTO history (job_seq, epoch, step, train_loss, val_loss, seconds) "
           "SELECT job.seq, h.epoch, h.step, h.train_loss, h.val_loss, h.seconds FROM job, history AS h "
           "WHERE job.name LIKE 'copy %' AND h.job_seq = (SELECT seq FROM job WHERE name = 'newest')")
db.commit()`;

async function copyMany(server) {
  await server.train({ name: "newest" });
  assert.equal(await server.stop(), 0);
  const made = spawnSync("/usr/bin/python3", ["-c", COPY, join(server.directory, "test.db"), String(MANY)], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  await server.start();
}

let many;
before(async () => {
  many = await new Server().start();
  await copyMany(many);
});
after(quit);

const box = (locator) => locator.boundingBox();

test("five hundred runs cost ten requests and 300 kB before the first picture", async () => {
  const page = await open(many, "about:blank", { ...CALM, expected: /about:blank/ }); // nothing is there yet
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const [bytes, address] = [new Map(), new Map()]; // by request
  let preceding; // how many requests were sent before the one for the picture: a busy machine sends later ones while that is made
  let early; // these, and what had come of them when the picture was there
  const isPicture = (url) => url.includes("/trajectories");
  session.on("Network.requestWillBeSent", ({ requestId, request }) => {
    if (isPicture(request.url)) preceding ??= address.size;
    address.set(requestId, request.url);
  });
  session.on("Network.dataReceived", ({ requestId, encodedDataLength }) =>
    bytes.set(requestId, (bytes.get(requestId) ?? 0) + encodedDataLength),
  );
  session.on("Network.loadingFinished", ({ requestId }) => {
    if (!isPicture(address.get(requestId) ?? "")) return;
    const others = [...address].slice(0, preceding).filter(([, url]) => url.startsWith("http"));
    early ??= others.map(([id, url]) => ({ url, bytes: bytes.get(id) ?? 0 }));
  });
  await page.goto(many.url);
  await picture(page);
  const addresses = [...new Set(early.map(({ url }) => url))]; // the browser asks for the icon of the tab by itself
  const sum = early.reduce((all, each) => all + each.bytes, 0);
  assert.ok(addresses.length <= 10, addresses.join("\n"));
  assert.ok(sum <= 300_000, `${sum} bytes`);
  assert.equal(addresses.filter((url) => url.includes("/v1/jobs?")).length, 1);
  console.log(`${MANY} runs: ${addresses.length} requests, ${sum} bytes before the first picture`);
  assert.equal(await page.locator(".run .sparkline polyline").count(), 50);
  await close(page);
});

test("a search finds the oldest run, and chips tell how many there are", async () => {
  const page = await open(many, "", CALM);
  await picture(page);
  await page.getByRole("button", { name: `Canceled ${MANY}` }).waitFor();
  await page.locator("#filter").fill(`COPY ${MANY}`);
  await run(page, `copy ${MANY}`).waitFor();
  await until(async () => (await page.locator(".run").count()) === 1, "only that");
  await run(page, `copy ${MANY}`).getByRole("button", { name: `copy ${MANY}` }).click();
  await page.getByRole("heading", { name: `copy ${MANY}` }).waitFor();
  await page.locator("#filter").fill("");
  await page.getByRole("button", { name: "Done 1" }).click();
  await until(async () => (await page.locator(".run").count()) === 1, "the one that is done");
  await page.getByRole("button", { name: "Done 1" }).click();
  await page.getByRole("button", { name: "Older runs" }).click();
  await until(async () => (await page.locator(".run").count()) === 100, "two pages");
  await close(page);
});

test("the table goes through all pages in its order, and cuts nothing off", async () => {
  for (const width of [1400, 1024]) {
    const page = await open(many, "#panel=runs&sort=-val_loss", { ...CALM, viewport: { width, height: 900 } });
    const names = page.locator(".run-table tbody th");
    await names.nth(49).waitFor();
    assert.equal(await names.first().innerText(), `copy ${MANY}`);
    await page.getByRole("dialog").getByRole("button", { name: "More runs" }).click();
    await names.nth(99).waitFor();
    assert.equal(await names.nth(99).innerText(), `copy ${MANY - 99}`);
    assert.match(await page.locator(".run-table time").first().innerText(), /\d{4}|[A-Z][a-z]{2} \d/); // a day
    const frame = await box(page.locator(".scroll"));
    for (const row of [0, 50, 99])
      for (const button of await page.locator(".run-table tbody tr").nth(row).getByRole("button").all()) {
        const place = await box(button);
        assert.ok(place.x >= frame.x && place.x + place.width <= frame.x + frame.width + 1, await button.innerText());
      }
    await close(page);
  }
});

test("runs do not move under the pointer, and the chosen one is in sight", async () => {
  const page = await open(many, "", CALM);
  await picture(page);
  const third = page.locator(".run").nth(2);
  const before = await box(page.locator(".run").nth(3));
  const height = (await box(third)).height;
  await third.hover();
  await third.getByRole("button", { name: "Delete" }).waitFor();
  assert.equal((await box(third)).height, height);
  assert.deepEqual(await box(page.locator(".run").nth(3)), before);
  for (let i = 0; i < 20; i++) await page.keyboard.press("j");
  await page.locator(".run.chosen", { hasText: "copy 20" }).waitFor();
  const inSight = async () => {
    const [item, list] = [await box(page.locator(".run.chosen")), await box(page.locator(".runs"))];
    return item.y >= list.y && item.y + item.height <= list.y + list.height;
  };
  await until(inSight, "the chosen run is within the list");
  await close(page);
});

test("what can be done with a run is there to touch", async () => {
  const page = await open(many, "", { ...CALM, viewport: { width: 400, height: 800 }, hasTouch: true, isMobile: true });
  await page.locator(".run").nth(5).waitFor();
  assert.ok(await page.locator(".run").nth(5).getByRole("button", { name: "Delete" }).isVisible());
  await close(page);
});

test("ticked runs are deleted together", async () => {
  const fresh = await new Server().start();
  for (const name of ["one", "two", "three"]) await fresh.train({ name });
  const page = await open(fresh, "#panel=runs", CALM);
  for (const name of ["one", "three"]) await page.getByLabel(`Select ${name}`).check();
  await page.getByRole("button", { name: "Delete 2" }).click();
  await page.getByRole("dialog", { name: "Delete 2 runs?" }).getByRole("button", { name: "Delete" }).click();
  await until(async () => (await page.locator(".run-table tbody tr").count()) === 1, "one is left");
  assert.deepEqual((await fresh.api("/v1/jobs")).items.map((each) => each.name), ["two"]);
  await close(page);
  await fresh.remove();
});

test("a deleted run does not come back with an answer that was on its way", async () => {
  const fresh = await new Server().start();
  const job = await fresh.api("/v1/jobs", ENDLESS);
  await fresh.api("/v1/jobs", { ...QUICK, name: "other" });
  const page = await open(fresh, `#job=${job.id}`, CALM);
  page.expected = /404/;
  await run(page, "endless").waitFor();
  let held = 0;
  await page.route(`**/v1/jobs/${job.id}`, async (route) => {
    if (route.request().method() !== "GET") return route.continue();
    const answer = await route.fetch().catch(() => null); // what it was before the deletion
    held++;
    await new Promise((done) => setTimeout(done, 800));
    return answer ? route.fulfill({ response: answer }).catch(() => undefined) : route.abort();
  });
  await until(() => held > 0, "an answer is held back");
  await run(page, "endless").getByRole("button", { name: "Delete" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await run(page, "endless").waitFor({ state: "detached" });
  await page.waitForTimeout(1500); // longer than the answer was held back
  assert.equal(await run(page, "endless").count(), 0);
  page.expected = /./;
  await page.context().close();
  await fresh.remove();
});

test("a model from elsewhere is dropped on the page, stands in the list, and is on the stage", async () => {
  const [theirs, ours] = [await new Server().start(), await new Server().start()];
  const made = await theirs.train({ name: "from elsewhere" });
  const weights = Buffer.from(await (await fetch(`${theirs.url}v1/models/${made.id}/weights.safetensors`)).arrayBuffer());
  await ours.train({ name: "at home" });
  const page = await open(ours, "", CALM);
  await picture(page);
  const transfer = await page.evaluateHandle((base64) => {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "model.safetensors"));
    return data;
  }, weights.toString("base64"));
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  await page.getByRole("heading", { name: "from elsewhere" }).waitFor();
  await run(page, "from elsewhere").getByText("imported").first().waitFor();
  await picture(page);
  const [model] = (await ours.api("/v1/models?imported=true")).items;
  await until(async () => page.url().includes(`job=${model.id}`), "the address names it");
  await page.locator(".quality tbody tr").first().waitFor();
  await page.getByText("An imported model has no loss history.").waitFor();
  await close(page);

  const again = await open(ours, `#job=${model.id}`, CALM); // a link to it
  await again.getByRole("heading", { name: "from elsewhere" }).waitFor();
  await picture(again);
  await run(again, "at home").waitFor();
  await run(again, "from elsewhere").getByRole("button", { name: "Delete" }).click();
  await again.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await run(again, "from elsewhere").waitFor({ state: "detached" });
  assert.deepEqual((await ours.api("/v1/models?imported=true")).items, []);
  await close(again);
  await theirs.remove();
  await ours.remove();
});

test("runs that wait are refreshed by one request for all of them", async () => {
  const fresh = await new Server("--workers", "1").start();
  await fresh.api("/v1/jobs", ENDLESS);
  const ids = [];
  for (let i = 0; i < 12; i++) ids.push((await fresh.api("/v1/jobs", { ...QUICK, name: `wait ${i}` })).id);
  const page = await open(fresh, "", CALM);
  await run(page, "wait 11").getByText("queued, 11 ahead").waitFor();
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await fetch(`${fresh.url}v1/jobs/${ids[0]}/cancel`, { method: "POST" });
  await run(page, "wait 11").getByText("queued, 10 ahead").waitFor();
  const single = asked.filter((each) => ids.some((id) => each.endsWith(id)));
  assert.ok(single.length <= 1, single.join());
  assert.ok(asked.filter((each) => each.includes("/v1/jobs?")).length <= 3);
  const [endless] = (await fresh.api("/v1/jobs?status=running")).items;
  await fetch(`${fresh.url}v1/jobs/${endless.id}/cancel`, { method: "POST" });
  await fresh.finished(endless.id, "cancelled");
  await close(page);
  await fresh.remove();
});
