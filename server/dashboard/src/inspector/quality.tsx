// How good the model is, next to what data itself gets.
import { useSignalEffect } from "@preact/signals";
import { keyState } from "../api";
import { evaluate, evaluationOf, METRICS } from "../evaluations";
import { job } from "../runs";

export function Quality() {
  useSignalEffect(() => {
    if (job.value && keyState.value === "none") evaluate(job.value);
  });
  const known = job.value && evaluationOf(job.value);
  const rows = METRICS.flatMap(([name, label]) => {
    const metric = known?.metrics[name];
    return metric ? [{ name, label, ...metric }] : [];
  });
  if (rows.length === 0) return null;
  return (
    <table class="quality">
      <caption>Quality — lower is better; floor = two draws of real data</caption>
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
