// The current view as curl commands: the dashboard uses nothing but the public API.
import { base, hasKey, url } from "./api";
import { copy } from "./copy";
import { Dialog } from "./dialog";
import { go, view } from "./hash";
import { hasModel, isImported, job } from "./runs";
import { addresses } from "./stage/addresses";

function commands(): [string, string][] {
  const curl = `curl -s${hasKey() ? ` -H "Authorization: Bearer $KEY"` : ""}`;
  const run = job.value;
  if (!run) return [["List the runs", `${curl} '${base}/v1/jobs'`]];
  const model = `/v1/models/${run.id}`;
  const spec = JSON.stringify(run.spec).replaceAll("'", "'\\''");
  const stage = addresses().map(({ of, path, way, query }): [string, string] => [
    `What is on the stage${of && ` (${of})`}`,
    `${curl} '${url(`${path}/${way}`, { ...query, which: view.value.mode === "x0" ? "x0" : undefined })}'`,
  ]);
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
