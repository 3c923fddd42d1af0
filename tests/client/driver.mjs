// Node's fetch and EventSource, or Chromium's, told what to do by a line of JSON each. Answers with a line each.
// usage: node driver.mjs node|chromium NAME    (NAME is this machine, for Chromium)
import { createInterface } from "node:readline";

// Runs where the client is: in Node, or in a page.
const inside = {
  async request({ method, url, headers, body, size, chunked }) {
    let data = body ?? undefined;
    const more = {};
    if (size) {
      const block = "0.25,0.5\n".repeat(7000);
      data = new Blob([...Array(Math.ceil(size / block.length)).fill(block)]).slice(0, size);
      if (chunked) {
        data = data.stream();
        more.duplex = "half";
      }
    }
    const answer = await fetch(url, { method, headers, body: data, ...more });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: btoa(text) };
  },

  // As pages do it: an EventSource that gave up (a proxy's 502 while the server restarts) is opened anew, from the last id on.
  follow({ number, url }) {
    const EventSource = globalThis.EventSource;
    globalThis.followed ??= {};
    const state = (globalThis.followed[number] = { events: [], ended: false, source: null });
    const open = () => {
      const last = state.events.at(-1)?.[0];
      const source = (state.source = new EventSource(last ? `${url}?after=${last}` : url));
      for (const name of ["epoch", "status", "checkpoint", "deleted"])
        source.addEventListener(name, (event) => {
          state.events.push([event.lastEventId, name, event.data]);
          if (["succeeded", "failed", "cancelled"].includes(JSON.parse(event.data).status)) {
            state.ended = true;
            source.close();
          }
        });
      source.addEventListener("error", () => {
        if (source.readyState === 2 && !state.ended) setTimeout(open, 300);
      });
    };
    open();
    return {};
  },
  followed: ({ number }) => ({ events: globalThis.followed[number].events, ended: globalThis.followed[number].ended }),
  unfollow({ number }) {
    globalThis.followed[number].ended = true;
    globalThis.followed[number].source.close();
    return {};
  },
};

async function node() {
  globalThis.EventSource ??= (await import("eventsource")).EventSource;
  return { run: (command) => inside[command.op](command), end: async () => {} };
}

async function chromium(name) {
  const { chromium: launcher } = await import("playwright-core");
  const browser = await launcher.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", `--host-resolver-rules=MAP ${name} 127.0.0.1`],
  });
  const page = await browser.newPage();
  const members = Object.entries(inside).map(([key, value]) => {
    const text = String(value);
    return text.startsWith("async request") || /^\w+\(/.test(text) ? text : `${key}: ${text}`;
  });
  return {
    async run(command) {
      const origin = new URL(command.url ?? page.url()).origin;
      if (new URL(page.url()).origin !== origin) await page.goto(`${origin}/docs`);
      const has = await page.evaluate(() => "inside" in globalThis);
      if (!has) await page.evaluate(`globalThis.inside = { ${members.join(",\n")} }; 0`);
      return page.evaluate((order) => globalThis.inside[order.op](order), command);
    },
    end: () => browser.close(),
  };
}

const client = await (process.argv[2] === "node" ? node() : chromium(process.argv[3]));
for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await client.run(JSON.parse(line));
  } catch (error) {
    answer = { error: `${error.message}${error.cause ? `: ${error.cause}` : ""}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await client.end();
