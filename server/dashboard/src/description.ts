// What the API says about itself: asked for once, when something first needs it.
import { signal } from "@preact/signals";
import { base, getJson } from "./api";

export interface Schema {
  type?: string | string[]; // several: of which one is "null"
  description?: string;
  enum?: string[];
  "x-deterministic"?: string[]; // of the samplers: those that draw no noise on the way
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
}

type Schemas = Record<string, Schema | undefined>;

/** The schemas of the description, once they are here. */
export const schemas = signal<Schemas>({});

let asked: Promise<void> | undefined;

/** Resolves when `schemas` is filled; a failure is forgotten, so that the next call tries again. */
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

/** The fields of a job that stand in a group; "dataset": those of a built-in one. "": those that stand in none. */
export function fieldsOf(group: string): Record<string, Schema> {
  const job = schemas.value.JobRequest?.properties ?? {};
  if (!group) return job;
  const { properties, anyOf = [] } = job[group] ?? {};
  return properties ?? anyOf.find((each) => each.properties?.n)?.properties ?? {};
}

/** What a value of this is, if it is not null. */
export const kindOf = ({ type }: Schema): string | undefined => [type].flat().find((each) => each !== "null");

export const fieldOf = (group: string, name: string): Schema | undefined => fieldsOf(group)[name];

const samplers = (): Schema => schemas.value.SampleRequest?.properties?.sampler ?? {};

/** The samplers, the default one first. */
export const samplerNames = (): string[] => samplers().enum ?? [];

/** Does it draw no noise on the way? */
export const isDeterministic = (sampler: string): boolean =>
  samplers()["x-deterministic"]?.includes(sampler) ?? false;
