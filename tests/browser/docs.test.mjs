// The reference page in a browser: all of the description is on it, every link leads somewhere, nothing is cut off.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { CALM, close, goTo, guarded, open, quit, Server, until } from "./harness.mjs";

let server;
let api;
before(async () => {
  server = await new Server().start();
  api = await server.api("/openapi.json");
});
after(quit);

const METHODS = ["get", "post", "put", "patch", "delete"];

/** Every operation, with what its $refs stand for. */
function operations() {
  const at = (part) => (part.$ref ? at(part.$ref.slice(2).split("/").reduce((found, step) => found[step], api)) : part);
  return Object.entries(api.paths).flatMap(([path, found]) =>
    METHODS.filter((method) => found[method]).map((method) => {
      const { operationId: id, parameters = [], responses, requestBody } = found[method];
      return {
        ...{ id, path, method: method.toUpperCase(), statuses: Object.keys(responses) },
        parameters: [...(found.parameters ?? []), ...parameters].map((each) => at(each).name),
        takesBody: requestBody !== undefined,
        descriptions: Object.values(responses).map((each) => at(each).description),
      };
    }),
  );
}

const shown = async (options = {}, hash = "") => {
  const page = await open(server, `docs${hash}`, { ...CALM, ...options });
  await page.locator("article.card").first().waitFor();
  return page;
};

/** What the card of an operation says, part by part. */
const cardOf = (page, id) =>
  page.locator(`[id="${id}"]`).evaluate((card) => {
    const texts = (selector) => [...card.querySelectorAll(selector)].map((each) => each.textContent.trim());
    return {
      method: texts("h3 .method")[0],
      path: texts("h3 code")[0],
      headings: texts("h4"),
      parameters: texts(".fields > li > code:first-child"),
      statuses: texts(".answers dt").map((text) => (text === "other" ? "default" : text)),
      answers: texts(".answers dd"),
      command: texts("pre")[0],
    };
  });

test("there is a card for each operation, with all that it takes and answers", async () => {
  const page = await shown();
  const wanted = operations();
  const ids = await page.locator("article.card:has(h3 .method)").evaluateAll((all) => all.map((each) => each.id));
  assert.deepEqual(ids.sort(), wanted.map(({ id }) => id).sort());
  for (const { id, method, path, parameters, statuses, descriptions, takesBody } of wanted) {
    const card = await cardOf(page, id);
    assert.deepEqual([card.method, card.path], [method, path]);
    assert.deepEqual(card.parameters, parameters, id);
    assert.deepEqual(card.statuses.sort(), statuses.sort(), id);
    assert.equal(card.headings.includes("Body"), takesBody, id);
    const plain = (text) => text.replaceAll("`", "");
    for (const text of descriptions) assert.ok(card.answers.some((each) => each.startsWith(plain(text))), `${id}: ${text}`);
    assert.ok(card.command.startsWith("curl ") && card.command.includes(server.url), id);
  }
  const schemas = await page.locator("article.card[id^=schema-]").evaluateAll((all) => all.map((each) => each.id.slice(7)));
  assert.deepEqual(schemas, Object.keys(api.components.schemas));
  assert.equal(await page.getByRole("alert").count(), 0);
  await close(page);
});

test("nothing is left empty, and no value of the language shows", async () => {
  const page = await shown();
  const { text, attributes, empty, doubled } = await page.evaluate(() => {
    const all = [...document.querySelectorAll("body *")];
    const ids = all.map((each) => each.id).filter(Boolean);
    return {
      text: document.body.textContent,
      attributes: all.flatMap((each) => [...each.attributes].map(({ value }) => value)).join("\n"),
      empty: all.filter((each) => each.matches("code, dt, dd, p:not([role]), a, .type, h3, summary") && !each.textContent.trim()).map((each) => each.outerHTML),
      doubled: ids.filter((id, i) => ids.indexOf(id) !== i),
    };
  });
  for (const where of [text, attributes]) assert.doesNotMatch(where, /undefined|\[object|\bNaN\b|\bInfinity\b|#\/components/);
  assert.deepEqual(empty, []);
  assert.deepEqual(doubled, []);
  await close(page);
});

const inView = (page, id) =>
  page.locator(`[id="${id}"]`).evaluate((each) => {
    const { top, bottom } = each.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  });

test("every problem's type leads to its words, and every link to its place", async () => {
  const page = await shown({}, "#invalid_fields");
  await until(() => inView(page, "invalid_fields"), "the entry is in view");
  assert.equal(await page.evaluate(() => document.querySelector(":target")?.id), "invalid_fields");
  for (const { code } of api["x-problems"]) {
    await goTo(page, code);
    await until(() => inView(page, code), `${code} is in view`);
  }
  const dead = await page
    .locator('a[href^="#"]')
    .evaluateAll((all) => all.map((each) => each.getAttribute("href").slice(1)).filter((id) => !document.getElementById(id)));
  assert.deepEqual(dead, []);
  await page.getByRole("link", { name: "openapi.json", exact: true }).click();
  await page.waitForURL(/openapi\.json$/);
  await close(page);
});

test("the keyboard is enough for the reference", async () => {
  const page = await shown();
  await page.keyboard.press("Tab");
  await page.getByRole("link", { name: "Skip to the operations" }).press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "content");
  const details = page.locator("details.inner").first();
  await details.locator("summary").first().focus();
  await page.keyboard.press("Enter");
  assert.ok(await details.evaluate((each) => each.open));
  const copy = page.getByRole("button", { name: "Copy the command" }).first();
  await copy.focus();
  await page.keyboard.press("Enter");
  await page.getByText("Copied").waitFor();
  await close(page);
});

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

for (const [width, height, colorScheme] of [[400, 800, "dark"], [1366, 625, "light"], [800, 600, "light"]])
  test(`the reference fits ${width} x ${height}, ${colorScheme}`, async () => {
    const page = await shown({ viewport: { width, height }, colorScheme, bypassCSP: true });
    await page.evaluate(axeSource);
    const parts = ["header", "#contents", "#createJob", "#createDataset", ".problems", "#schema-JobRequest"]; // one of a kind
    const { violations } = await page.evaluate(
      (each) => window.axe.run({ include: each.map((part) => [part]) }, { resultTypes: ["violations"] }),
      parts,
    );
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.length, nodes[0].html]), []);
    await page.locator("main details").evaluateAll((all) => all.forEach((each) => (each.open = true)));
    const wide = await page.evaluate(() =>
      [...document.querySelectorAll("body *:not(.skip)")]
        .map((each) => [each, each.getBoundingClientRect()])
        .filter(([, { left, right }]) => right > innerWidth + 0.5 || left < 0)
        .map(([each]) => each.outerHTML.slice(0, 80)),
    );
    assert.deepEqual(wide, []);
    await close(page);
  });

test("a server with a base path or with keys has its reference, too", async () => {
  const deep = await new Server("--base-path", "/lab").start();
  const page = await open(deep, "docs", CALM);
  await page.locator("article.card").first().waitFor();
  assert.ok((await page.locator("pre").first().innerText()).includes(`${deep.url}v1/`));
  await close(page);
  await deep.remove();
  const { guard } = await guarded();
  const locked = await open(guard, "docs", CALM);
  await locked.locator("#createJob pre", { hasText: "Authorization: Bearer" }).waitFor();
  assert.doesNotMatch(await locked.locator("#getLivez pre").innerText(), /Authorization/);
  await close(locked);
  await guard.remove();
});
