// Server-sent events over fetch(), because fetch can send a key and EventSource cannot. The stream resumes where it stopped.
//
// A browser opens at most six connections to a server for all tabs together. So all tabs share one stream: the tab that holds a
// lock reads it and passes the events on. Without locks (over plain HTTP to another machine), each tab reads its own stream.
import { computed, effect, signal } from "@preact/signals";
import { ApiError, absence, authorization, base, getJson, keyState, noteStatus, refused, url } from "./api";
import type { Epoch } from "./histories";

interface RawEvent {
  id: string;
  type: string;
  data: string;
}

/** An event of a run. */
export interface ServerEvent {
  id: string;
  type: string;
  job: string;
  status: string; // "" unless it has changed
  epochs: Epoch[]; // for type "epoch": all epochs that arrived together
}

type Stream = "connecting" | "live" | "lost" | "locked";
/** The state of the stream alone. */
export const stream = signal<Stream>("connecting");

/** "live" while the stream is open, "lost" while the page tries to reopen it, "locked" until the user enters a key, "away" while
 * the server answers, but cannot reach its database. */
export const connection = computed<Stream | "away">(() =>
  absence.value && stream.value !== "locked" ? "away" : stream.value,
);
/** Whether no request can do anything at the moment. */
export const isCut = computed(() => connection.value === "lost" || connection.value === "away");
/** When the stream was last known to be alive. */
export const lastHeard = signal(Date.now());

/** Splits a stream of text into complete events (HTML standard, 9.2.6). */
export class EventParser {
  private rest = "";
  private event: RawEvent = { id: "", type: "message", data: "" };

  /** The first and the last id in the stream so far, with an event or alone. */
  start = "";
  get id(): string {
    return this.event.id;
  }

  push(text: string): RawEvent[] {
    const done: RawEvent[] = [];
    const all = this.rest + text;
    const end = all.endsWith("\r") ? all.length - 1 : all.length; // its LF may follow in the next chunk
    const lines = all.slice(0, end).split(/\r\n|\n|\r/);
    this.rest = (lines.pop() ?? "") + all.slice(end);
    for (const line of lines) {
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (line === "") {
        if (this.event.data) done.push({ ...this.event, data: this.event.data.slice(0, -1) });
        this.event = { id: this.event.id, type: "message", data: "" };
      } else if (name === "data") this.event.data += `${value}\n`;
      else if (name === "id") {
        this.event.id = value;
        this.start ||= value;
      } else if (name === "event") this.event.type = value;
    }
    return done;
  }
}

/** Merges the epoch events of each run that arrived together into one, because a run can complete hundreds per second. */
function condensed(raw: RawEvent[]): ServerEvent[] {
  const out = new Map<string | number, ServerEvent>();
  raw.forEach(({ id, type, data }, i) => {
    const parsed = JSON.parse(data) as Partial<ServerEvent> & Epoch;
    const { job = "", status = "", epoch, train_loss, val_loss } = parsed;
    const isEpoch = type === "epoch";
    const key = isEpoch ? job : i;
    const epochs = out.get(key)?.epochs ?? [];
    if (isEpoch) epochs.push({ epoch, train_loss, val_loss });
    out.delete(key);
    out.set(key, { id, type, job, status, epochs });
  });
  return [...out.values()];
}

const RETRY_MS = 1500;
const SHARED = `denoised ${base}`; // name of the lock and of the channel

/** A message from one tab to the others. */
interface Message {
  connection?: Stream;
  event?: ServerEvent;
  asks?: boolean; // a new tab asks for the state of the connection
  isOther?: boolean; // the server now has another database
}

const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Resolves as soon as `ready` returns true. It is called again when a signal that it reads changes. */
const until = (ready: () => boolean) =>
  new Promise<void>((done) => {
    let stop: (() => void) | undefined;
    stop = effect(() => {
      if (!ready()) return;
      done();
      queueMicrotask(() => stop?.());
    });
  });

const hidden = signal(document.hidden);
document.addEventListener("visibilitychange", () => {
  hidden.value = document.hidden;
});

/** Follows one stream while the page is visible. `take` receives every event exactly once. */
export function follow(address: string, take: (event: ServerEvent) => void, whenBack: () => void): void {
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(SHARED) : undefined;
  let last = "";
  let isReader = false;
  const tell = (message: Message) => channel?.postMessage(message);

  function become(state: Stream): void {
    if (state === "live") {
      lastHeard.value = Date.now();
      absence.value = "";
    }
    if (state === stream.value) return;
    if (state === "live") whenBack();
    stream.value = state;
    if (isReader) tell({ connection: state });
  }

  function accept(event: ServerEvent): void {
    lastHeard.value = Date.now();
    if (event.id) last = event.id;
    take(event);
    if (isReader) tell({ event });
  }

  channel?.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    if (data.isOther) location.reload();
    if (data.asks && isReader) tell({ connection: stream.value });
    if (data.connection) become(data.connection);
    if (data.event) accept(data.event);
  });
  tell({ asks: true });

  async function read(signal: AbortSignal): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream", ...authorization() };
    if (last) headers["Last-Event-ID"] = last;
    const response = await fetch(address, { headers, signal });
    noteStatus(response.status);
    if (!response.ok || !response.body)
      throw refused(response.status, await response.json().catch(() => ({})));
    become("live");
    const parser = new EventParser();
    const asked = last;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      lastHeard.value = Date.now();
      const events = condensed(parser.push(value));
      // A stream begins with the requested id, unless the server has another database: then all that the page shows is outdated.
      if (asked && parser.start && parser.start !== asked) {
        tell({ isOther: true });
        location.reload();
        return;
      }
      for (const event of events) accept(event);
      last = parser.id || last;
    }
  }

  /** Reads the stream until it breaks or the page is hidden. */
  async function hold(signal: AbortSignal): Promise<void> {
    isReader = true;
    try {
      await read(signal);
    } catch (error) {
      if (!(error instanceof ApiError)) absence.value = ""; // the server itself is gone
      if (!signal.aborted) become(keyState.value === "none" ? "lost" : "locked");
    }
    if (!signal.aborted) await sleep(RETRY_MS);
    isReader = false;
  }

  async function run(): Promise<void> {
    for (;;) {
      await until(() => !hidden.value && keyState.value === "none");
      const stop = new AbortController();
      const release = effect(() => {
        if (hidden.value) stop.abort();
      });
      const { signal } = stop;
      if (navigator.locks)
        await navigator.locks.request(SHARED, { signal }, () => hold(signal)).catch(() => undefined);
      else await hold(signal);
      release();
    }
  }
  void run();
  watchAbsence(whenBack);
}

/** An open stream stays open while the database is away, so the page has to ask whether it is back. */
function watchAbsence(whenBack: () => void): void {
  const ask = async () => {
    const isBack = await getJson(url("/v1/jobs", { limit: 1 })).then(
      () => true,
      (error) => !(error instanceof ApiError && error.isAbsence),
    );
    if (!isBack) return;
    const wasAway = absence.value !== "";
    absence.value = "";
    if (wasAway && stream.value === "live") whenBack();
  };
  void (async () => {
    for (;;) {
      await until(() => absence.value !== "" && !hidden.value);
      await sleep(RETRY_MS);
      if (absence.value) await ask();
    }
  })();
}
