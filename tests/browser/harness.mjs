// A real server and a real browser. What the page writes to the console as an error, and what its policy refuses, fails the test.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const BINARY = process.env.DENOISED_BINARY ?? "build/denoised";
// A test that passes waits for a condition; only one that fails takes this long.
export const PATIENCE = 300_000 * Number(process.env.PATIENCE ?? 1);

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Of a page that shows everything at once. */
export const CALM = { reducedMotion: "reduce" };

const servers = new Set();

export class Server {
  constructor(...flags) {
    servers.add(this);
    this.flags = flags;
    this.directory = mkdtempSync(join(tmpdir(), "denoised-browser-"));
    this.database = join(this.directory, "test.db");
    this.port = 0;
  }

  async start() {
    this.process = spawn(
      BINARY,
      ["serve", "--port", String(this.port), "--database", this.database, ...this.flags],
      { stdio: ["ignore", "pipe", "ignore"] },
    );
    const lines = createInterface({ input: this.process.stdout });
    const [line] = await new Promise((done) => lines.once("line", (...args) => done(args)));
    const [, port, path] = /:(\d+)(\/.*)?$/.exec(line);
    this.port = Number(port);
    this.url = `http://127.0.0.1:${port}${path ?? ""}/`;
    return this;
  }

  async stop(signal = "SIGTERM") {
    const over = new Promise((done) => this.process.once("exit", done));
    this.process.kill(signal);
    return over;
  }

  async remove() {
    const isRunning = this.process?.exitCode === null && this.process.signalCode === null;
    if (isRunning) assert.equal(await this.stop(), 0);
    rmSync(this.directory, { recursive: true });
    servers.delete(this);
  }

  async api(path, body) {
    const answer = await fetch(this.url + path.slice(1), {
      method: body ? "POST" : "GET",
      headers: { ...this.headers, ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body && JSON.stringify(body),
    });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return answer.json();
  }

  /** A finished run of a moment. */
  async train(request = {}) {
    const job = await this.api("/v1/jobs", { ...QUICK, ...request });
    return this.finished(job.id);
  }

  /** Two of them, on two data sets. */
  async trainTwo() {
    await this.train({ name: "first" });
    await this.train({ name: "second", dataset: { name: "moons", n: 500 } });
  }

  async finished(id, status = "succeeded") {
    for (;;) {
      const now = await this.api(`/v1/jobs/${id}`);
      if (now.status === status) return now;
      assert.ok(["queued", "running"].includes(now.status), now.status);
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

/** A private PostgreSQL, to which servers connect as nodes. */
export class Cluster {
  /** undefined where there is no PostgreSQL. */
  static async start() {
    const made = new Cluster();
    made.process = spawn("/usr/bin/python3", [fileURLToPath(new URL("cluster.py", import.meta.url))], {
      env: { ...process.env, DENOISED_BINARY: realpathSync(BINARY) },
      stdio: ["pipe", "pipe", "inherit"],
    });
    made.lines = createInterface({ input: made.process.stdout })[Symbol.asyncIterator]();
    made.uri = (await made.lines.next()).value;
    if (/^no PostgreSQL/.test(made.uri)) return undefined;
    assert.match(made.uri ?? "it ended", /^postgresql:/);
    return made;
  }

  async tell(what) {
    this.process.stdin.write(`${what}\n`);
    assert.equal((await this.lines.next()).value, "done");
  }

  async node(...flags) {
    const server = new Server("--workers", "1", "--node-lease", "3", ...flags);
    server.database = this.uri;
    return server.start();
  }

  async remove() {
    const over = new Promise((done) => this.process.once("exit", done));
    this.process.stdin.end();
    assert.equal(await over, 0);
  }
}

/** A server with one key for all and one for reading. */
export async function guarded() {
  const guard = new Server();
  const lines = [];
  const keys = {};
  for (const scope of ["write", "read"]) {
    const { stdout, stderr } = spawnSync(BINARY, ["key", scope, "--scope", scope], { encoding: "utf8" });
    keys[scope] = /dn_\S+/.exec(stderr)[0];
    lines.push(stdout);
  }
  const file = join(guard.directory, "keys");
  writeFileSync(file, lines.join(""), { mode: 0o600 });
  guard.flags.push("--api-keys", file);
  guard.headers = { Authorization: `Bearer ${keys.write}` };
  return { guard: await guard.start(), keys };
}

export const QUICK = {
  dataset: { name: "spiral", n: 500 },
  network: { hidden_size: 16, hidden_layers: 2 },
  training: { epochs: 20, batch_size: 100 },
};
export const ENDLESS = {
  name: "endless",
  dataset: { name: "spiral", n: 2000 },
  network: { hidden_size: 16, hidden_layers: 2 },
  training: { epochs: 1_000_000, batch_size: 100 },
};

let browser;
export async function launch() {
  browser ??= await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS, timeout: PATIENCE });
  return browser;
}
/** Also stops what a failed test has left. */
export async function quit() {
  try {
    for (const server of servers) await server.remove();
  } finally {
    await browser?.close(); // it keeps the program running
  }
}

export const profile = async (options = {}) =>
  (await launch()).newContext({ viewport: { width: 1400, height: 900 }, colorScheme: "light", ...options });

/** A page of its own profile, or of a given one; `errors` collects what must not happen, `expected` says what may. */
export async function open(server, hash = "", { expected = /$^/, ...options } = {}, given) {
  const context = given ?? (await profile(options));
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.errors = [];
  page.expected = expected;
  const note = (text) => {
    if (!page.expected.test(text)) page.errors.push(text);
  };
  page.on("console", (message) => {
    if (message.type() === "error") note(`${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => note(error.message));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  await page.goto(server.url + hash);
  return page;
}

export async function close(page) {
  assert.deepEqual(page.errors, []);
  await page.context().close();
}

/** How many pixels of the stage are not empty: a picture is there. */
export const inkOf = (page) =>
  page.locator(".stage-canvas canvas").evaluate((canvas) => {
    if (canvas.width === 0) return 0; // it has no room yet
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] > 0) count++;
    return count;
  });

/** Waits until `ask` answers true. */
export async function until(ask, what) {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    if (await ask()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`timed out waiting until ${what}`);
}

export const picture = (page) => until(async () => (await inkOf(page)) > 500, "the stage has a picture");

/** The run with this name in the list. */
export const run = (page, name) => page.locator(".run", { hasText: name });

/** Closes the dialog, and waits until it is gone. By its role it would be gone as soon as it is hidden. */
export async function escape(page) {
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
}

/** Opens what an address names, as a link within the page does. */
export const goTo = (page, hash) =>
  page.evaluate((text) => {
    location.hash = text;
  }, hash);
