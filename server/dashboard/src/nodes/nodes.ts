// The nodes: the servers that share a database on PostgreSQL. A database that is a file has only one, and the page says nothing of it.
import { computed, effect, signal } from "@preact/signals";
import { client, type Job, keyState, must, type Node } from "../api";
import { connection } from "../events";
import { jobs, known, put, waitsForKernels } from "../runs";

interface Known extends Node {
  seconds: number | null; // that were left of its lease at the time of the response
}

export const nodes = signal<Known[]>([]); // empty as long as there can be only one
export const isShared = computed(() => nodes.value.length > 0);

/** A node by its id; undefined if it is gone, or not known yet. */
const nodeOf = (id: string | null): Known | undefined => nodes.value.find((each) => each.id === id);

/** The name of the node that trains a run; "" if there is only one, or none trains it. */
export const nodeNameOf = (run: Job): string => nodeOf(run.node)?.name ?? "";

/** Lists nodes, and asks for the clock of the server: that of this machine may differ. */
export async function loadNodes(): Promise<void> {
  const call = client.GET("/v1/nodes");
  const { items } = await must(call);
  const now = Date.parse((await call).response.headers.get("Date") ?? "") || Date.now();
  nodes.value = items
    .filter((each) => each.lease_until !== null)
    .map((each) => ({ ...each, seconds: (Date.parse(each.lease_until!) - now) / 1000 }));
}

/** Loads what the nodes train and what waits for them: the list of runs may show others. */
export async function loadOpenRuns(): Promise<void> {
  const query = { status: ["running" as const, "queued" as const], limit: 200 };
  put(...(await must(client.GET("/v1/jobs", { params: { query } }))).items);
}

export const runsOf = (node: Node): Job[] => jobs.value.filter((run) => run.node === node.id);

/** The instruction set of an arithmetic such as avx2/2/0123456789abcdef. */
const instructionsOf = (arithmetic: string): string => arithmetic.split("/")[0]!;
export const instructionSetsOf = (node: Node): string =>
  [...new Set(node.arithmetic.map(instructionsOf))].join(", ");

/** The values of nodes, each with the names of the nodes that have it. */
function groups(of: (node: Node) => string): Map<string, string[]> {
  const out = new Map<string, string[]>();
  for (const node of nodes.value) {
    const value = of(node);
    out.set(value, [...(out.get(value) ?? []), node.name]);
  }
  return out;
}

const told = (found: Map<string, string[]>): string =>
  [...found].map(([value, names]) => `${value} on ${names.join(", ")}`).join("; ");

/** What the nodes do not have in common, and what follows from it. */
export const concerns = computed<string[]>(() => {
  const out: string[] = [];
  const versions = groups((node) => node.version);
  if (versions.size > 1)
    out.push(
      `The nodes run different versions: ${told(versions)}. Update all of them to finish the upgrade.`,
    );
  const whole = groups((node) => node.arithmetic[0] ?? "none");
  const short = groups((node) => instructionsOf(node.arithmetic[0] ?? "none"));
  if (whole.size > 1)
    out.push(
      `The nodes compute differently: ${told(short.size > 1 ? short : whole)}. The same request for samples may get other digits \
from another node, and a run continues only on nodes that offer what it began with. Start all nodes with the same --simd.`,
    );
  const waiting = jobs.value.filter((run) => run.status === "queued" && waitsForKernels(run)).length;
  if (waiting > 0)
    out.push(
      `${waiting === 1 ? "A run waits" : `${waiting} runs wait`} for an instruction set or version that no node offers. Start \
a node that offers it, or start ${waiting === 1 ? "it" : "them"} afresh.`,
    );
  return out;
});

const OFTEN_MS = 10_000;
let timer = 0;

/** Loads the nodes, and again while there are several: their workers are in the list of runs. */
export function followNodes(): void {
  clearTimeout(timer);
  void loadNodes()
    .catch(() => undefined)
    .finally(() => {
      const again = () => (document.hidden ? later() : followNodes());
      const later = () => {
        timer = window.setTimeout(again, OFTEN_MS);
      };
      if (isShared.value) later();
    });
}

// A node that has just started trains a run.
let missing = "";
effect(() => {
  if (!isShared.value || connection.value !== "live" || keyState.value !== "none") return;
  const id = Object.values(known.value).find((run) => run.node && !nodeOf(run.node))?.node;
  if (!id || id === missing) return;
  missing = id;
  followNodes();
});
