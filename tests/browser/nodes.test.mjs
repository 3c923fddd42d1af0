// Several nodes on one PostgreSQL: which of them trains what, what they do not have in common, and a database that goes away.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CALM, Cluster, close, ENDLESS, escape, inkOf, open, picture, quit, run, Server } from "./harness.mjs";
import { axe, judge, WORDS } from "./judge.mjs";

/** In each window and theme. */
async function isWhole(page) {
  for (const [width, height] of [
    [1366, 625],
    [1440, 900],
    [400, 800],
  ]) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await axe(page, colorScheme === "dark" ? ["color-contrast"] : undefined), []);
    }
    assert.deepEqual(await page.evaluate(judge, { words: WORDS }), [], `${width}x${height}`);
  }
  await page.setViewportSize({ width: 1400, height: 900 });
}

let cluster;
let nodes;
const nameOf = async (node) => {
  const { items } = await node.api("/v1/nodes");
  return items.find((each) => each.name.endsWith(`:${node.port}`)).name;
};

before(async () => {
  cluster = await Cluster.start();
  nodes = cluster && [await cluster.node(), await cluster.node("--simd", "baseline"), await cluster.node()];
});
after(async () => {
  for (const node of nodes ?? []) if (node.process.signalCode === null) assert.equal(await node.stop(), 0);
  try {
    await quit();
  } finally {
    await cluster?.remove();
  }
});

test("the page says which node trains what, and who goes on when one is killed", async (context) => {
  if (!cluster) return context.skip("no PostgreSQL");
  const names = await Promise.all(nodes.map(nameOf));
  for (const name of ["one", "two", "three"]) {
    const { id } = await nodes[0].api("/v1/jobs", { ...ENDLESS, name });
    await nodes[0].finished(id, "running");
  }
  const where = async () =>
    (await nodes[0].api("/v1/jobs?status=running")).items.map(({ name, node }) => ({ name, node }));
  const ids = (await nodes[0].api("/v1/nodes")).items;
  const page = await open(nodes[0], "", { ...CALM, bypassCSP: true });
  for (const { name, node } of await where())
    await run(page, name)
      .getByText(`on ${ids.find((each) => each.id === node).name}`)
      .waitFor();
  await page.locator(".facts tr", { hasText: "Node" }).getByText(names.at(0).split(":")[0]).waitFor();
  await page.getByRole("button", { name: "3 nodes, 3 of 3 workers busy" }).click();
  const dialog = page.getByRole("dialog");
  const row = (name) => dialog.locator("tbody tr", { hasText: name });
  for (const { name, node } of await where())
    await row(ids.find((each) => each.id === node).name)
      .getByRole("button", { name, exact: true })
      .waitFor();
  assert.equal(await row(names[1]).locator("[data-label='Instruction sets']").innerText(), "baseline");
  await dialog.getByText(new RegExp(`compute differently: .*; baseline on ${names[1]}`)).waitFor();
  await dialog.getByText("the others continue its runs").waitFor();
  await isWhole(page);

  await nodes[1].stop("SIGKILL");
  await row(names[1]).waitFor({ state: "detached" });
  assert.equal(await row(names[0]).count(), 1);
  await escape(page);
  await page.getByRole("button", { name: "2 nodes, 2 of 2 workers busy" }).waitFor();
  await close(page);
});

test("while the database is away the page says so, keeps its picture, and goes on by itself", async (context) => {
  if (!cluster) return context.skip("no PostgreSQL");
  const expected = { ...CALM, expected: /503/, bypassCSP: true };
  const page = await open(nodes[0], "", expected);
  await picture(page);
  const banner = (of) => of.getByRole("alert").getByText("The server cannot reach its database. Nothing is lost");
  const [{ name }] = (await nodes[0].api("/v1/jobs?status=running")).items; // that of the killed node waits
  const training = run(page, name);
  await training.locator(".run-name").click();
  await training.locator(".status.running").waitFor();
  await cluster.tell("stop");
  await banner(page).waitFor(); // without a click: the page asks for the nodes now and then
  await page.locator(".connection.away").waitFor();
  assert.ok(await inkOf(page));
  assert.ok(await training.getByRole("button", { name: "Cancel" }).isDisabled());
  await isWhole(page);
  const late = await open(nodes[2], "", expected); // opened in the meantime
  await banner(late).waitFor();
  assert.equal(await late.locator(".runs .error").count(), 0);

  await cluster.tell("start");
  for (const each of [page, late]) {
    await each.locator(".connection.live").waitFor();
    await banner(each).waitFor({ state: "detached" });
  }
  await run(late, name).locator(".status.running").waitFor();
  await picture(late);
  await training.getByRole("button", { name: "Cancel" }).click();
  await training.locator(".status.cancelled").waitFor();
  await close(page);
  await close(late);
});

test("a server with a file says nothing of nodes", async () => {
  const alone = await new Server().start();
  const { id } = await alone.api("/v1/jobs", ENDLESS);
  await alone.finished(id, "running");
  const page = await open(alone, "", CALM);
  await page.waitForResponse((answer) => answer.url().endsWith("/v1/nodes"));
  await run(page, "endless").locator(".status.running").waitFor();
  assert.equal(await page.locator(".nodes-summary, .on-node").count(), 0);
  assert.equal(await page.locator(".facts tr", { hasText: "Node" }).count(), 0);
  await close(page);
  await alone.remove();
});
