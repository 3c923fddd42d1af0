// What is on screen, as commands: the dashboard uses nothing but the public API.
import { base, hasKey, url } from "./api";
import { copy } from "./copy";
import { view } from "./hash";
import { job } from "./runs";
import { sampleQuery } from "./stage/trajectory";

function commands(): [string, string][] {
  const curl = `curl -s${hasKey() ? ` -H "Authorization: Bearer $KEY"` : ""}`;
  const run = job.value;
  if (!run) return [["the runs", `${curl} '${base}/v1/jobs'`]];
  const model = `/v1/models/${run.id}`;
  const spec = JSON.stringify(run.spec).replaceAll("'", "'\\''");
  return [
    ["what is on the stage", `${curl} '${url(`${model}/trajectories`, sampleQuery(view.value))}'`],
    ["the run again", `${curl} '${base}/v1/jobs' -H 'Content-Type: application/json' -d '${spec}'`],
    ["its points in the terminal", `${curl} '${url(`${model}/samples.txt`, { seed: view.value.seed })}'`],
    ["its loss, live", `${curl} -N '${base}/v1/jobs/${run.id}/events'`],
  ];
}

export function CurlDrawer() {
  return (
    <section class="curl" aria-label="as curl commands">
      {commands().map(([label, text]) => (
        <div key={label}>
          <span>{label}</span>
          <input type="text" readOnly aria-label={label} value={text} />
          <button type="button" aria-label={`copy: ${label}`} onClick={() => void copy(text)}>
            Copy
          </button>
        </div>
      ))}
    </section>
  );
}
