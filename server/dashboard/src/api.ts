// The public HTTP API, typed by its own OpenAPI description. Everything the dashboard knows comes through here.
import { signal } from "@preact/signals";
import type { components, paths } from "contract";
import createClient, { type Middleware } from "openapi-fetch";

export type Job = components["schemas"]["Job"];
export type History = components["schemas"]["History"];
export type Problem = components["schemas"]["Problem"];
export type JobRequest = components["schemas"]["JobRequest"];
export type Model = components["schemas"]["Model"];
export type Dataset = components["schemas"]["Dataset"];
/** One of the processes that share a database. */
export type Node = components["schemas"]["Node"];
export type Estimate = components["schemas"]["Estimate"];
export type NearestImages = components["schemas"]["NearestImages"];
/** One of the data sets of a job. */
export type DatasetPart = Exclude<NonNullable<JobRequest["dataset"]>, unknown[]>;
/** The name of a built-in data set. */
export type Pattern = Extract<DatasetPart, string>;
/** The response to a job with `validate_only`. */
export type Validation = Extract<
  paths["/v1/jobs"]["post"]["responses"][200]["content"]["application/json"],
  { valid: true }
>;

/** The URL of the API: that of this page, including the path that a proxy may put in front. */
export const base = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** "wanted" when the server has answered 401; "later" when the user has closed the prompt. */
export const keyState = signal<"none" | "wanted" | "later">("none");
const KEY = "denoised.key";

export const hasKey = (): boolean => sessionStorage.getItem(KEY) !== null;
export const authorization = (): Record<string, string> =>
  hasKey() ? { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` } : {};

/** Keeps the key for this tab, and starts over with it. */
export function setKey(key: string): void {
  sessionStorage.setItem(KEY, key);
  location.reload();
}

/** Must be called with the status of every response: the first 401 opens the prompt for a key. */
export function noteStatus(status: number): void {
  if (status === 401 && keyState.value === "none") keyState.value = "wanted";
}

/** What the server lacks, by the code of its 503: it will be back by itself, and nothing was done. */
const ABSENCES: Record<string, string> = {
  database_unavailable: "The server cannot reach its database.",
  no_node_ready: "No server is ready at the moment.", // from the load balancer of several
};

/** Why the server answers, but cannot do anything; "" if it can. See events.ts. */
export const absence = signal("");

/** The error for a response that is not ok. */
export function refused(status: number, problem: Partial<Problem>): ApiError {
  const error = new ApiError(status, problem);
  if (error.isAbsence) absence.value = error.message;
  return error;
}

const withKey: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
  onResponse({ response }) {
    noteStatus(response.status);
    return response;
  },
};

export const client = createClient<paths>({ baseUrl: base });
client.use(withKey);

/** A problem that the server responded with, as an Error. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    super(
      ABSENCES[problem.code ?? ""] ||
        (status === 401 && "This server needs an API key.") ||
        problem.errors?.map((each) => `${each.pointer.slice(1)} ${each.detail}`.trim()).join("; ") ||
        (problem.detail ?? `the server answered ${status}`),
    );
  }

  /** Whether the request can be repeated once the server is complete again. */
  get isAbsence(): boolean {
    return (this.problem.code ?? "") in ABSENCES;
  }
}

/** Returns the data of a typed call, or throws an ApiError. */
export async function must<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw refused(response.status, (error ?? {}) as Partial<Problem>);
  return data as T;
}

export type Query = Record<string, string | number | boolean | undefined>;

/** A URL of the API with these query parameters; absent values are left out. */
export function url(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return `${base}${path}${text ? `?${text}` : ""}`;
}

async function ask(input: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(input, { ...init, headers: { ...init.headers, ...authorization() } }).catch(
    (error: Error) => {
      throw error.name === "AbortError" ? error : new Error("The server does not answer.");
    },
  );
  noteStatus(response.status);
  if (!response.ok) throw refused(response.status, await response.json().catch(() => ({})));
  return response;
}

export const getJson = async <T>(input: string, init?: RequestInit): Promise<T> =>
  (await ask(input, init)).json();
export const getBytes = async (input: string, init?: RequestInit): Promise<ArrayBuffer> =>
  (await ask(input, init)).arrayBuffer();
export const postJson = async <T>(input: string, body: unknown): Promise<T> =>
  getJson<T>(input, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
