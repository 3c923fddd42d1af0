// The current view as curl commands: the dashboard uses nothing but the public API.
import { base, hasKey, type Job, url } from "./api";
import { copy } from "./copy";
import { Dialog } from "./dialog";
import { go, view } from "./hash";
import { hasModel, isImported, job } from "./runs";
import { addresses } from "./stage/addresses";
import { sampleQuery } from "./stage/trajectory";
import { tab } from "./tabs";

/** Of the tabs of a table's run. */
function ofTable(run: Job, curl: string): [string, string][] {
  if (!hasModel(run)) return [];
  const model = `/v1/models/${run.id}`;
  return [
    [
      "Rows as CSV",
      `${curl} '${url(`${model}/samples.csv`, { ...sampleQuery(view.value, run), frames: undefined })}'`,
    ],
    ["The report on columns and pairs", `${curl} '${url(`${model}/evaluation`)}'`],
  ];
}

function commands(): [string, string][] {
  const curl = `curl -s${hasKey() ? ` -H "Authorization: Bearer $KEY"` : ""}`;
  const run = job.value;
  if (!run) return [["List the runs", `${curl} '${base}/v1/jobs'`]];
  const model = `/v1/models/${run.id}`;
  const spec = JSON.stringify(run.spec).replaceAll("'", "'\\''");
  const which = view.value.mode === "x0" ? "x0" : undefined;
  const pictures = addresses().map(({ of, path, way, query }): [string, string] => [
    `What is on the stage${of && ` (${of})`}`,
    `${curl} '${url(`${path}/${way}`, { ...query, which })}'`,
  ]);
  const stage = tab.value === "animation" ? pictures : ofTable(run, curl);
  const points: [string, string][] = hasModel(run)
    ? [
        [
          "Show samples in the terminal",
          `${curl} '${url(`${model}/samples.txt`, { seed: view.value.seed })}'`,
        ],
      ]
    : [];
  return [
    ...stage,
    ["Re-run", `${curl} '${base}/v1/jobs' -H 'Content-Type: application/json' -d '${spec}'`],
    ...points,
    ...(isImported(run)
      ? []
      : [["Follow its events", `${curl} -N '${base}/v1/jobs/${run.id}/events'`] as [string, string]]),
  ];
}

export function Code() {
  return (
    <Dialog title="This page as curl commands" wide onClose={() => go({ panel: "" })}>
      <div class="commands">
        {commands().map(([label, text]) => (
          <div key={label}>
            <span>{label}</span>
            <input type="text" readOnly aria-label={label} value={text} />
            <button type="button" aria-label={`Copy: ${label}`} onClick={() => void copy(text)}>
              Copy
            </button>
          </div>
        ))}
      </div>
    </Dialog>
  );
}
