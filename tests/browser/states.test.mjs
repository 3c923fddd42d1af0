// Every page and every panel in every state, on every window: what it says, whether all can be reached, and what axe thinks of it.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CALM, open, PATIENCE, picture, profile, quit, Server } from "./harness.mjs";
import { axe, judge, WORDS } from "./judge.mjs";
import { busyServer, guardedServer, worldServer } from "./world.mjs";

const WINDOWS = ["1366x625", "1280x640", "1440x900", "1024x600", "400x800"];
const JUDGED_BY_AXE = ["1366x625", "400x800"]; // one of each layout; of the dark theme, its colors
const PICTURES = process.env.PICTURES; // a directory: then each state is also photographed
const ONLY = new RegExp(process.env.STATES ?? ""); // to look at some of them

let world, busy, empty, guarded;
before(async () => {
  [world, empty, guarded] = await Promise.all([worldServer(), new Server().start(), guardedServer()]);
});
after(quit);

const see = (text) => (page) => page.getByText(text).first().waitFor();
const stage = (page) => page.locator(".stage-canvas canvas:not(.stale)").waitFor();

/** Of a run of the world: what its address says besides the run, and what proves that the state is there. */
const ofRun = (name, more = "", proof = picture, expected = /$^/) => ({
  server: () => world.server,
  hash: () => `job=${world.ids[name] ?? name}&${more}`,
  async ready(page) {
    await stage(page);
    await proof(page);
  },
  expected,
});
const ofTable = (more, proof) => ({ ...ofRun("table", more), ready: proof });
const panel = (name, proof, more = "") => ofRun("done", `panel=${name}&${more}`, proof);

const choose = (name, text, proof) => async (page) => {
  await page.locator("dialog input[type=file]").first().setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
  await proof(page);
};

/** A table with columns of several types, missing cells, and a share. */
const MIXED = [
  "number,kind,day,wild,share",
  ...Array.from({ length: 30 }, (_, i) => `${i},kind ${i % 3},2020-02-${10 + (i % 9)},${i % 4 ? "yes" : ""},5${i}`),
].join("\n");

/** `isPicture`: it differs from others only in what axe cannot see. */
const STATES = {
  "succeeded": ofRun("done"),
  "diverged": ofRun("wild", "", (page) => page.locator(".inspector .error").waitFor()),
  "cancelled": { ...ofRun("cancelled", "", see("canceled at epoch")), isPicture: true },
  "with a warning": ofRun("with a warning", "", (page) => page.locator(".inspector .warning").first().waitFor()),
  "data deleted": ofRun("data deleted", "", picture, /40[49]|422/),
  "imported model": ofRun("imported", "", (page) => page.getByRole("heading", { name: "imported" }).waitFor()),
  "1-D": ofRun("1-D", "", see("Histogram of the points")),
  "3-D": ofRun("3-D", "tab=animation&axes=2.0", see("2 of 3 columns are drawn")),
  "16-D": ofRun("16-D", "tab=animation", see("2 of 16 columns are drawn")),
  "columns": ofTable("", see("The worst comes first")),
  "pairs": ofTable("tab=pairs", (page) => page.locator(".pairs .distance").waitFor()),
  "rows of a table": ofTable("tab=rows", async (page) => {
    await page.locator(".lines td").first().waitFor();
    await page.getByText("Hold columns").click();
  }),
  "score of a row": ofTable("tab=score", see("real rows that training did not use")),
  "points of a pair": { ...ofTable("tab=pairs&pair=0.2", (page) => page.locator(".points path").first().waitFor()), isPicture: true },
  "classes": ofRun("classes", "", see("Guidance")),
  "one class": { ...ofRun("classes", "class=1&guidance=2"), isPicture: true },
  "a long name": ofRun(`long ${"name ".repeat(18)}`.trim()),
  "a name of other letters": ofRun("数据 🙂 <b>&amp;"),
  "forward": ofRun("done", "process=forward&k=0.4"),
  "forward of classes": { ...ofRun("classes", "process=forward&k=0.4"), isPicture: true },
  "nearest point": ofRun("done", "process=optimal&k=0&show=lines"),
  "A | B": { ...ofRun("done"), hash: () => `job=${world.ids.done}&b=${world.ids.other}` },
  "several losses": { ...ofRun("done"), hash: () => `job=${world.ids.done}&with=${world.ids.other}.${world.ids["3-D"]}` },
  "an estimate": { ...ofRun("done", "mode=x0&k=0.5"), isPicture: true },
  "side by side": { ...ofRun("done", "mode=both&k=0.5"), isPicture: true },
  "one over the other": { ...ofRun("1-D", "mode=over&k=0.5", stage), isPicture: true },
  ...Object.fromEntries(
    ["hue", "density", "field", "lines", "trails", "data"].map((layer) => [
      `layer ${layer}`,
      { ...ofRun("done", `show=${layer}&k=0.5`), isPicture: true },
    ]),
  ),
  "the stage alone": ofRun("done", "full=1"),
  "most points": ofRun("done", "n=20000", see("draws at most 20,000 points")),
  "a checkpoint": { ...ofRun("done", "epoch=1"), isPicture: true },
  "an unknown id": ofRun("01a20ebe-4517-7001-b3ca-06767684b48b", "", see("This run does not exist"), /404/),
  "a deleted run": ofRun("deleted", "", see("This run does not exist"), /404/),
  "new run": panel("new", see(/steps, .* parameters/)),
  "new run, all fields": panel("new", async (page) => {
    await see(/steps, .* parameters/)(page);
    await page.locator("dialog details").evaluateAll((groups) => groups.forEach((group) => (group.open = true)));
  }),
  "a file": panel("file", choose("a.csv", "a,b,kind\n1,2,x\n3,4,y\n", see("3 columns"))),
  "a table as a file": panel("file", choose("b.csv", MIXED, see("30 rows, 5 columns"))),
  "a column that cannot be used": {
    ...panel("file", choose("c.csv", MIXED.replace(/,(5\d+)$/gm, ",$1%"), see("cannot be used as it is"))),
    expected: /422/,
  },
  "a file that cannot be read": { ...panel("file", choose("a.csv", "nothing\nto\nlearn\n", see("a.csv"))), expected: /422/ },
  "draw": panel("draw", see("Draw your own data")),
  "table": panel("runs", (page) => page.locator(".run-table tbody tr").first().waitFor()),
  "table, nothing found": panel("runs", async (page) => {
    await page.locator("dialog").getByLabel("Search the runs").fill("there is no such run");
    await page.locator("dialog").getByText("No run matches.").waitFor();
    await page.locator("dialog").getByLabel("Search the runs").fill("");
    await page.locator(".run-table tbody tr").first().waitFor();
  }),
  "table, several to delete": panel("runs", async (page) => {
    const ticks = page.locator(".run-table tbody input[type=checkbox]");
    for (const at of [0, 1, 2, 3]) await ticks.nth(at).check();
    await page.getByRole("button", { name: /^Delete \d/ }).click();
    await page.getByText("This cannot be undone").waitFor();
  }),
  "compare samplers": panel("samplers", (page) => page.locator(".samplers canvas").nth(3).waitFor()),
  "commands": panel("code", see("Follow its events")),
  "help": panel("help", see("this help")),
  "a question": {
    ...ofRun("done"),
    async ready(page) {
      await page.locator(".run.chosen").getByRole("button", { name: "Delete" }).click();
      await page.getByText("This cannot be undone").waitFor();
    },
  },
  "first visit": { server: () => empty, hash: () => "", ready: see("Nothing has been trained here yet") },
  "first visit, new run": { server: () => empty, hash: () => "panel=new", ready: see(/steps, .* parameters/) },
  "reference": { server: () => world.server, path: "docs", ready: (page) => page.locator("#schema-Warnings").waitFor(), isDocs: true },
  "guide": { server: () => world.server, path: "docs/guide", ready: (page) => page.locator("#errors").waitFor(), isDocs: true },
  "operating": { server: () => world.server, path: "docs/operating", ready: (page) => page.locator("#settings").waitFor(), isDocs: true },
  "a model elsewhere": { server: () => world.server, path: "docs/elsewhere", ready: (page) => page.locator("#precision").waitFor(), isDocs: true },
  "reference, code of a problem": {
    server: () => world.server,
    path: "docs#invalid_data",
    ready: (page) => page.locator("#invalid_data").waitFor(),
    isDocs: true,
    part: "dt:target, dt:target + dd",
  },
  "key wanted": {
    server: () => guarded,
    hash: () => "",
    ready: (page) => page.getByRole("dialog", { name: "API key required" }).waitFor(),
    expected: /401/,
  },
  "key put off": {
    server: () => guarded,
    hash: () => "",
    async ready(page) {
      await page.getByRole("dialog", { name: "API key required" }).waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Enter a key" }).waitFor();
    },
    expected: /401/,
  },
  "wrong key": {
    server: () => guarded,
    hash: () => "",
    async ready(page) {
      await page.locator("input[name=key]").fill("dn_wrong");
      await page.getByRole("button", { name: "Continue" }).click();
      await page.getByText("The server does not know this key").waitFor();
    },
    expected: /401/,
  },
};

/** While a server trains. */
const ofBusy = (name, proof) => ({ ...ofRun("", "", proof), server: () => busy.server, hash: () => `job=${busy.ids[name]}` });
const BUSY = {
  "running": ofBusy("running", see(/left/)),
  "queued": ofBusy("queued", see("In the queue")),
  "cancelled before a checkpoint": ofBusy("never begun", see("No checkpoint was saved")),
};

// The reference does speak of null, and the guide lists the marks of missing cells.
const WORDS_OF_DOCS = String.raw`\bundefined\b|\[object|(?<!N/A, )\bNaN\b`;

/** Goes there: within the page if it is of the same server, as a link does. */
async function visit(page, { server, hash, path, ready, expected = /$^/ }) {
  // A sign of the page that is left can still be on its way when another server is here.
  page.expected = new RegExp(`${expected.source}|NotSameOrigin.*icon`);
  const isHere = page.url().startsWith(`${server().url}#`) && !path && server() !== guarded;
  if (isHere) {
    await page.evaluate((text) => {
      location.hash = text;
    }, hash());
  } else {
    const isSame = page.url().split("#")[0] === server().url;
    await page.goto(server().url + (path ?? `#${hash()}`));
    if (isSame) await page.reload(); // another part of the address alone loads nothing
  }
  await ready(page);
}

async function leave(page) {
  while ((await page.locator("dialog[open]").count()) > 0) {
    const last = page.locator("dialog[open]").last();
    const handle = await last.elementHandle();
    await page.keyboard.press("Escape");
    await page.waitForFunction((dialog) => !dialog.isConnected, handle);
  }
  await page.waitForFunction(() => !location.hash.includes("panel=")); // the page writes it a moment later
}

async function photograph(page, name) {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name.replaceAll(/[^\w]+/g, "-")}.png`) });
}

/** What is wrong with these states in a window of this size, in words. */
async function tour(states, size) {
  const [width, height] = size.split("x").map(Number);
  const context = await profile({ viewport: { width, height }, bypassCSP: true, hasTouch: width < 500, ...CALM });
  const [first] = Object.values(states);
  const page = await open(first.server(), `#${first.hash()}`, { expected: first.expected ?? /$^/ }, context);
  const wrong = [];
  for (const [name, state] of Object.entries(states).filter(([name]) => ONLY.test(name))) {
    const note = (list, when) => wrong.push(...list.map((each) => `${name}, ${when}: ${each}`));
    try {
      await visit(page, state);
      for (const theme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: theme });
        if (JUDGED_BY_AXE.includes(size) && !state.isPicture)
          note(await axe(page, theme === "dark" ? ["color-contrast"] : undefined, state.part), theme);
        if (PICTURES) await photograph(page, `${size} ${theme} ${name}`);
      }
      const words = state.isDocs ? WORDS_OF_DOCS : WORDS;
      note(await page.evaluate(judge, { words, isDocs: state.isDocs }), "whole");
      await leave(page);
    } catch (error) {
      note([error.message.split("\n").slice(0, 2).join(" ")], "not reached");
    }
    note(page.errors.splice(0), "console");
  }
  await context.close();
  return wrong;
}

for (const size of WINDOWS)
  test(`every state is whole at ${size}`, { timeout: 10 * PATIENCE }, async () => {
    assert.deepEqual(await tour(STATES, size), []);
  });

test("every state of a busy server is whole, in all windows", { timeout: 10 * PATIENCE }, async () => {
  busy = await busyServer();
  for (const size of WINDOWS) assert.deepEqual(await tour(BUSY, size), [], size);
  await busy.server.remove();
});

test("a page whose server goes is whole, and so when it is back", { timeout: 10 * PATIENCE }, async () => {
  const server = await new Server().start();
  await server.train();
  const state = (ready, expected) => ({ server: () => server, hash: () => "k=1", ready, expected });
  const gone = /Failed to load resource|net::ERR/;
  for (const size of WINDOWS) {
    const wrong = await tour(
      {
        "before": state(picture),
        "gone": state(async (page) => {
          await picture(page); // on its way again, since the tour came back to this address
          assert.equal(await server.stop(), 0);
          await page.getByText("The connection was lost at").waitFor();
          await page.getByRole("button", { name: "Forward" }).click();
          await page.locator(".stage-note.error").waitFor();
          await picture(page); // what was there stays
          assert.ok(await page.locator(".run.chosen .actions button").first().isDisabled());
          await page.getByRole("button", { name: "Model", exact: true }).click();
        }, gone),
        "back": state(async (page) => {
          await server.start();
          await page.getByText("live").waitFor();
          await picture(page);
        }, gone),
      },
      size,
    );
    assert.deepEqual(wrong, [], size);
  }
  await server.remove();
});
