// The public HTTP API, typed by its own OpenAPI description. Everything the dashboard knows comes through here.
import { signal } from "@preact/signals";
import type { components, paths } from "contract";
import createClient, { type Middleware } from "openapi-fetch";

export type Job = components["schemas"]["Job"];
export type Dataset = components["schemas"]["Dataset"];
export type History = components["schemas"]["History"];
export type Problem = components["schemas"]["Problem"];
export type JobRequest = components["schemas"]["JobRequest"];
export type Schema = {
  type?: string;
  description?: string;
  enum?: string[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  properties?: Record<string, Schema>;
};

/** Where the API is: beside this page, whatever path a proxy puts in front. */
export const base = new URL(".", document.baseURI).href.replace(/\/$/, "");

/** Set when the server has answered 401: the page then asks for a key. */
export const keyWanted = signal(false);
const KEY = "denoised.key";

export function setKey(key: string): void {
  sessionStorage.setItem(KEY, key);
  keyWanted.value = false;
}

export function authorization(): Record<string, string> {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

const withKey: Middleware = {
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authorization())) request.headers.set(name, value);
    return request;
  },
  onResponse({ response }) {
    if (response.status === 401) keyWanted.value = true;
    return response;
  },
};

export const client = createClient<paths>({ baseUrl: base });
client.use(withKey);

/** What the server said was wrong, as an Error. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    super(problem.detail ?? `the server answered ${status}`);
  }
}

/** The data of a typed call, or an ApiError. */
export async function must<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw new ApiError(response.status, (error ?? {}) as Partial<Problem>);
  return data as T;
}

/** A URL of the API with these query parameters; absent values are left out. */
export function url(path: string, query: Record<string, string | number | boolean | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  const text = search.toString();
  return `${base}${path}${text ? `?${text}` : ""}`;
}

async function ask(input: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(input, { ...init, headers: { ...init.headers, ...authorization() } });
  if (response.status === 401) keyWanted.value = true;
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})));
  return response;
}

export const getJson = async <T>(input: string, init?: RequestInit): Promise<T> =>
  (await ask(input, init)).json();
export const getBytes = async (input: string, init?: RequestInit): Promise<ArrayBuffer> =>
  (await ask(input, init)).arrayBuffer();
export const postJson = async <T>(input: string, body: unknown, init: RequestInit = {}): Promise<T> =>
  getJson<T>(input, {
    ...init,
    method: "POST",
    headers: { "Content-Type": "application/json", ...init.headers },
    body: JSON.stringify(body),
  });
