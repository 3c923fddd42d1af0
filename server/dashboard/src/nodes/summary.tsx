// What the list of runs says about nodes. Nothing, if the database is a file.
import { go } from "../hash";
import type { Run } from "../runs";
import { concerns, isShared, nodeNameOf, nodes } from "./nodes";

/** Which node trains a run. */
export function OnNode({ run }: { run: Run }) {
  const name = nodeNameOf(run);
  return name ? (
    <small class="on-node" title={name}>
      on {name}
    </small>
  ) : null;
}

/** How many nodes there are, and how busy; opens the table of them. */
export function NodesSummary() {
  if (!isShared.value) return null;
  const all = nodes.value.length;
  const busy = nodes.value.reduce((sum, node) => sum + node.running, 0);
  const workers = nodes.value.reduce((sum, node) => sum + node.workers, 0);
  const isOdd = concerns.value.length > 0;
  return (
    <button
      type="button"
      class={`link nodes-summary${isOdd ? " fair" : ""}`}
      title={isOdd ? concerns.value.join("\n") : "The nodes that share the database"}
      onClick={() => go({ panel: "nodes" }, true)}
    >
      {isOdd && <span aria-hidden="true">⚠ </span>}
      {all === 1 ? "1 node" : `${all} nodes`}, {busy} of {workers === 1 ? "1 worker" : `${workers} workers`}{" "}
      busy
    </button>
  );
}
