// The metrics of the model, beside the scores of real data.
import { useSignalEffect } from "@preact/signals";
import { keyState } from "../api";
import { evaluateUnasked, evaluationOf, METRICS, waiting } from "../evaluations";
import { lazy } from "../lazy";
import { job } from "../runs";
import { verdictOf } from "../runs/verdict";
import { isSettled } from "../stage/subject";

const Confusion = lazy((parts) => parts.Confusion);
const TableQuality = lazy((parts) => parts.TableQuality);

function Metrics() {
  const known = job.value && evaluationOf(job.value);
  const rows = METRICS.flatMap(([name, label]) => {
    const metric = known?.metrics[name];
    return metric ? [{ name, label, ...metric }] : [];
  });
  const verdict = job.value && verdictOf(job.value);
  if (known?.table) return <TableQuality />;
  if (rows.length === 0)
    return job.value && waiting.value.includes(job.value.id) ? <p class="hint">Evaluating …</p> : null;
  return (
    <table class="quality">
      <caption>
        Quality{" "}
        {verdict && (
          <span class={`verdict ${verdict.tone}`} title={verdict.doc}>
            {verdict.text}
          </span>
        )}
        <small>
          {known?.metrics.nearest
            ? "Lower is better, except for right labels. The floor is what real images get."
            : "Lower is better, except for coverage. The floor is what two draws of the data score against each other."}
        </small>
      </caption>
      <thead>
        <tr>
          <th scope="col">metric</th>
          <th scope="col">model</th>
          <th scope="col">floor</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name}>
            <th scope="row">{row.label}</th>
            <td>{row.value.toPrecision(2)}</td>
            <td>{row.floor === null ? "–" : row.floor.toPrecision(2)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Quality() {
  useSignalEffect(() => {
    if (job.value && isSettled() && keyState.value === "none") evaluateUnasked(job.value);
  });
  const known = job.value && evaluationOf(job.value);
  return (
    <>
      <Metrics />
      {known?.confusion && <Confusion />}
    </>
  );
}
