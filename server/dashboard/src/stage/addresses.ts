// The addresses in the API of what is on the stage: the trajectories of each run's model, or a process of its data sets.
import type { Job, Query } from "../api";
import { sourcesOf } from "../data";
import { view } from "../hash";
import { hasModel, job, jobB, nameOf } from "../runs";
import { ink } from "../theme";
import { processQuery, sampleQuery, wayOf } from "./trajectory";

export interface Address {
  of: string; // which one it is, if there are several; "" if there is only one
  path: string; // of the model or data set: /v1/models/ID or /v1/datasets/ID
  way: string; // "trajectories", "forward" or "optimal"
  query: Query;
}

/** Without a model, the stage shows the forward process. */
const processOf = (run: Job) => wayOf(run, view.value) || (hasModel(run) ? "" : "forward");

function ofRun(run: Job, of: string, epoch: number): Address[] {
  const process = processOf(run);
  if (!process)
    return [
      {
        of,
        path: `/v1/models/${run.id}`,
        way: "trajectories",
        query: sampleQuery({ ...view.value, epoch }, run),
      },
    ];
  const sources = sourcesOf(run);
  return sources.map((each) => ({
    of: [of, sources.length > 1 ? each.label : ""].filter(Boolean).join(", "),
    path: `/v1/datasets/${each.id}`,
    way: process,
    query: processQuery(process, sources.length, run, view.value),
  }));
}

/** One address for each picture of the stage that the API can draw. */
export function addresses(): Address[] {
  const [a, b] = [job.value, jobB.value];
  if (!a) return [];
  return [
    ...ofRun(a, b ? `A ${nameOf(a)}` : "", view.value.epoch),
    ...(b ? ofRun(b, `B ${nameOf(b)}`, 0) : []),
  ];
}

/** The theme of the page, for pictures that the server draws. */
export const pictureTheme = (): Query => ({ theme: ink.value.dark ? "dark" : undefined });
