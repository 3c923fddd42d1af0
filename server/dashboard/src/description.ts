// The OpenAPI description of the API, loaded once, when something first needs it.
import { signal } from "@preact/signals";
import { base, getJson } from "./api";

export interface Schema {
  type?: string | string[]; // if there are several, one is "null"
  description?: string;
  enum?: string[];
  "x-deterministic"?: string[]; // the samplers that draw no noise after the start
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
}

type Schemas = Record<string, Schema | undefined>;

/** The schemas of the description; empty until they are loaded. */
export const schemas = signal<Schemas>({});

let asked: Promise<void> | undefined;

/** Resolves when `schemas` is loaded. After a failure, the next call tries again. */
export function describe(): Promise<void> {
  asked ??= getJson<{ components: { schemas: Schemas } }>(`${base}/openapi.json`).then(
    (description) => {
      schemas.value = description.components.schemas;
    },
    (error: Error) => {
      asked = undefined;
      throw error;
    },
  );
  return asked;
}

/** The fields in a group of a job; for "dataset", those of a built-in data set; for "", the fields outside of any group. */
export function fieldsOf(group: string): Record<string, Schema> {
  const job = schemas.value.JobRequest?.properties ?? {};
  if (!group) return job;
  const { properties, anyOf = [] } = job[group] ?? {};
  return properties ?? anyOf.find((each) => each.properties?.n)?.properties ?? {};
}

/** The type of a value that is not null. */
export const kindOf = ({ type }: Schema): string | undefined => [type].flat().find((each) => each !== "null");

export const fieldOf = (group: string, name: string): Schema | undefined => fieldsOf(group)[name];

const samplers = (): Schema => schemas.value.SampleRequest?.properties?.sampler ?? {};

/** The samplers, the default one first. */
export const samplerNames = (): string[] => samplers().enum ?? [];

/** Whether a sampler draws no noise after the start. */
export const isDeterministic = (sampler: string): boolean =>
  samplers()["x-deterministic"]?.includes(sampler) ?? false;
