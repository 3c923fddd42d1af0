// The table of the nodes that share the database, with what each of them trains.
import { useEffect } from "preact/hooks";
import type { Node } from "../api";
import { Dialog } from "../dialog";
import { isCut } from "../events";
import { go } from "../hash";
import { nameOf, type Run, say } from "../runs";
import { show } from "../runs/parts";
import { concerns, instructionSetsOf, loadNodes, loadOpenRuns, nodes, runsOf } from "./nodes";

const LOOK_MS = 2000;

/** Repeats a look at the nodes while the table is open. The first error is told; later ones are those of a lost connection. */
function look(): () => void {
  let timer = 0;
  let isOpen = true;
  const round = async () => {
    if (!document.hidden && !isCut.peek()) await Promise.all([loadNodes(), loadOpenRuns()]);
  };
  const again = () => {
    if (isOpen)
      timer = window.setTimeout(
        () =>
          void round()
            .catch(() => undefined)
            .finally(again),
        LOOK_MS,
      );
  };
  void round()
    .catch((error: Error) => say(error.message))
    .finally(again);
  return () => {
    isOpen = false;
    clearTimeout(timer);
  };
}

function Trained({ run }: { run: Run }) {
  return (
    <li>
      <button
        type="button"
        class="link"
        onClick={() => {
          show(run);
          go({ panel: "" });
        }}
      >
        {nameOf(run)}
      </button>{" "}
      <small>{Math.round(100 * run.progress.fraction)}%</small>
    </li>
  );
}

/** A node without news is taken for dead when its lease ends. */
function leaseOf(seconds: number | null): string {
  if (seconds === null) return "–";
  return seconds < 0 ? "over" : `ends in ${Math.round(seconds)} s, unless renewed`;
}

function Row({ node }: { node: Node & { seconds: number | null } }) {
  const runs = runsOf(node);
  const started = new Date(node.started_at);
  return (
    <tr>
      <th scope="row">
        {node.name}
        {node.draining && <small class="fair"> stopping: its runs continue elsewhere</small>}
      </th>
      <td data-label="Version">{node.version}</td>
      <td data-label="Instruction sets" title={node.arithmetic.join("\n")}>
        {instructionSetsOf(node)}
      </td>
      <td data-label="Workers busy" class="number">
        {node.running} of {node.workers}
      </td>
      <td data-label="Trains">
        {runs.length > 0 ? (
          <ul>
            {runs.map((run) => (
              <Trained key={run.id} run={run} />
            ))}
          </ul>
        ) : (
          "–"
        )}
      </td>
      <td data-label="Lease">{leaseOf(node.seconds)}</td>
      <td data-label="Started">
        <time dateTime={node.started_at} title={started.toLocaleString()}>
          {started.toLocaleString([], { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" })}
        </time>
      </td>
    </tr>
  );
}

const COLUMNS = ["Node", "Version", "Instruction sets", "Workers busy", "Trains", "Lease", "Started"];

export function NodeTable() {
  useEffect(look, []);
  return (
    <Dialog title="Nodes" wide onClose={() => go({ panel: "" })}>
      {concerns.value.map((text) => (
        <p key={text} class="warning">
          {text}
        </p>
      ))}
      <table class="node-table">
        <thead>
          <tr>
            {COLUMNS.map((label) => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {nodes.value.map((node) => (
            <Row key={node.id} node={node} />
          ))}
        </tbody>
      </table>
      {nodes.value.length === 0 && (
        <p class="empty">The database of this server is a file, which no other server can use.</p>
      )}
      <p class="hint">
        The nodes share one database, and each of them can answer every request. If a node stops or is cut
        off, the others continue its runs when its lease ends, from the last checkpoint and to the same
        result.
      </p>
    </Dialog>
  );
}
