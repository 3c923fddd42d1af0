// The list of runs beside the stage, with their progress.
import { useEffect, useRef } from "preact/hooks";
import { keyState } from "../api";
import { datasetName } from "../data";
import { takers } from "../drop";
import { connection } from "../events";
import { go, view } from "../hash";
import { NodesSummary, OnNode } from "../nodes/summary";
import { attempt, importModel, isImported, jobs, loadError, nameOf, type Run } from "../runs";
import { Filter } from "./filter";
import { chosen, counts, isOfImports, loadImports, loadJobs, loadMore, more, rows, search } from "./listing";
import { Actions, InChart, Sparkline, Status, show } from "./parts";

const FILE_END = ".safetensors";
const bring = (file: File) => attempt(() => importModel(file).then(loadImports))();
takers.push({ end: FILE_END, take: bring });

/** Scrolls the list to an item, without scrolling the page. */
function reveal(item: HTMLElement): void {
  const list = item.closest<HTMLElement>(".runs");
  if (!list || list.scrollHeight <= list.clientHeight) return;
  const [box, frame] = [item.getBoundingClientRect(), list.getBoundingClientRect()];
  if (box.top < frame.top) list.scrollTop -= frame.top - box.top + 12;
  else if (box.bottom > frame.bottom) list.scrollTop += box.bottom - frame.bottom + 12;
}

function Item({ run }: { run: Run }) {
  const isChosen = run.id === view.value.job;
  const ref = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (isChosen && ref.current) reveal(ref.current);
  }, [isChosen]);
  return (
    <li ref={ref} class={`run${isChosen ? " chosen" : ""}`}>
      <div class="run-line">
        <InChart run={run} />
        <button type="button" class="run-name" aria-current={isChosen} onClick={() => show(run)}>
          <strong>{nameOf(run)}</strong>
          <small>{isImported(run) ? "Imported model" : run.name ? datasetName(run) : ""}</small>
        </button>
        <Sparkline run={run} />
      </div>
      <Status run={run} loss />
      <OnNode run={run} />
      <Actions run={run} />
    </li>
  );
}

function Trouble() {
  const locked = keyState.value === "later";
  return (
    <p class="error" role="alert">
      {loadError.value}{" "}
      <button
        type="button"
        onClick={() => {
          if (locked) keyState.value = "wanted";
          else void loadJobs();
        }}
      >
        {locked ? "Enter a key" : "Try again"}
      </button>
    </p>
  );
}

function Import() {
  const ref = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        title="Import a model exported as safetensors. You can also drop the file anywhere."
        onClick={() => ref.current?.click()}
      >
        Import a model
      </button>
      <input
        ref={ref}
        type="file"
        accept={FILE_END}
        hidden
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) bring(file);
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}

/** The button for the next page. Its text depends on the sort order. */
export function More() {
  if (!more.value || isOfImports.value) return null;
  const label = view.value.sort === "-created_at" ? "Older runs" : "More runs";
  return (
    <button type="button" onClick={attempt(loadMore)}>
      {label}
    </button>
  );
}

const FEW = 3; // up to this number of runs, the list has no filter

export function RunList() {
  const isFiltered = search.value !== "" || chosen.value.length > 0;
  const all = Object.values(counts.value).reduce((sum, each) => sum + each, 0);
  return (
    <section class="runs" id="runs" tabIndex={-1} aria-labelledby="runs-title">
      <header>
        <h2 id="runs-title">Runs{all > FEW && <small> {all}</small>}</h2>
        {jobs.value.length > 1 && (
          <button type="button" title="All runs as a table (r)" onClick={() => go({ panel: "runs" }, true)}>
            Table
          </button>
        )}
        <button type="button" class="primary" title="New run (n)" onClick={() => go({ panel: "new" }, true)}>
          + New
        </button>
      </header>
      <NodesSummary />
      {(all > FEW || isFiltered) && <Filter id="filter" />}
      {loadError.value && connection.value !== "away" && <Trouble />}
      <ul>
        {rows.value.map((run) => (
          <Item key={run.id} run={run} />
        ))}
      </ul>
      {isFiltered && rows.value.length === 0 && <p class="empty">No run matches.</p>}
      <More />
      <Import />
    </section>
  );
}
