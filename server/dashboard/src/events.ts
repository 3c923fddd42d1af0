// Server-sent events over fetch(): unlike EventSource, fetch can send a key. Resumes where it stopped.
import { signal } from "@preact/signals";
import { authorization, keyWanted } from "./api";

export interface ServerEvent {
  id: string;
  type: string;
  data: string;
}

/** "live" while events come in, "lost" while the page tries to get the stream back. */
export const connection = signal<"connecting" | "live" | "lost">("connecting");

/** Cuts a stream of text into events (HTML standard, 9.2.6), as they become complete. */
export class EventParser {
  private rest = "";
  private event: ServerEvent = { id: "", type: "message", data: "" };

  push(text: string): ServerEvent[] {
    const done: ServerEvent[] = [];
    const lines = (this.rest + text).split(/\r\n|\n|\r/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (line === "") {
        if (this.event.data) done.push({ ...this.event, data: this.event.data.slice(0, -1) });
        this.event = { id: this.event.id, type: "message", data: "" };
      } else if (name === "data") this.event.data += `${value}\n`;
      else if (name === "id") this.event.id = value;
      else if (name === "event") this.event.type = value;
    }
    return done;
  }
}

const RETRY_MS = 1500;
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Follows one stream for as long as the page is visible; `take` gets every event exactly once. */
export function follow(
  address: string,
  take: (event: ServerEvent) => void,
  whenBack: () => void,
): () => void {
  let last = "";
  let stop: AbortController | undefined;
  let ended = false;

  async function read(signal: AbortSignal): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream", ...authorization() };
    if (last) headers["Last-Event-ID"] = last;
    const response = await fetch(address, { headers, signal });
    if (response.status === 401) keyWanted.value = true;
    if (!response.ok || !response.body) throw new Error(`events: ${response.status}`);
    if (connection.value !== "live") whenBack();
    connection.value = "live";
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const event of parser.push(value)) {
        if (event.id) last = event.id;
        take(event);
      }
    }
  }

  async function run(): Promise<void> {
    while (!ended) {
      if (document.hidden) {
        await new Promise((shown) => document.addEventListener("visibilitychange", shown, { once: true }));
        continue;
      }
      stop = new AbortController();
      try {
        await read(stop.signal);
      } catch {
        if (!ended && !document.hidden) connection.value = "lost";
      }
      if (!ended) await sleep(RETRY_MS);
    }
  }

  const pauseWhenHidden = () => {
    if (document.hidden) stop?.abort();
  };
  document.addEventListener("visibilitychange", pauseWhenHidden);
  void run();
  return () => {
    ended = true;
    stop?.abort();
    document.removeEventListener("visibilitychange", pauseWhenHidden);
  };
}
