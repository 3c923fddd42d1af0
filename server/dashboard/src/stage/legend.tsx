// The classes of what is on the stage.
import { classesOf } from "../data";
import { Legend } from "../legend";
import { job } from "../runs";
import { shown } from "./subject";

export function StageLegend() {
  const names = job.value && shown.value?.classes ? classesOf(job.value) : [];
  return names.length > 0 ? <Legend names={names} /> : null;
}
