// What a run of a table has learned: the content of the tab that is open.
import { hasModel, job } from "../runs";
import { tab } from "../tabs";
import { Columns } from "./columns";
import { Drawn } from "./drawn";
import { Pairs } from "./pairs";
import { columns, data, isDrawing, model, trouble } from "./rows";
import { Scores } from "./score";

const NAVIGATION = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", " "];

function Waiting() {
  const run = job.value!;
  const text =
    run.status === "queued" || run.status === "running"
      ? "This appears after the first checkpoint of the training."
      : "No checkpoint was saved, so there is no model.";
  return <p class="empty">{text}</p>;
}

function Content() {
  if (tab.value === "columns") return <Columns />;
  if (tab.value === "pairs") return <Pairs />;
  if (tab.value === "rows") return <Drawn />;
  return <Scores />;
}

export function Results() {
  const isEmpty = columns.value.length === 0;
  const isWaiting = !hasModel(job.value) && tab.value !== "columns";
  const isStale = isDrawing.value && model.value !== null;
  return (
    <div
      class={`results${isStale ? " stale" : ""}`}
      role="tabpanel"
      id="results"
      aria-labelledby={`tab-${tab.value}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a panel that scrolls must be reachable by keys
      tabIndex={0}
      aria-busy={isDrawing.value}
      onKeyDown={(event) => {
        if (NAVIGATION.includes(event.key)) event.stopPropagation(); // they scroll, and do not move the animation
      }}
    >
      {trouble.value && (
        <p class="error" role="alert">
          {trouble.value}
        </p>
      )}
      {isWaiting ? <Waiting /> : isEmpty && !trouble.value ? <p class="empty">Loading …</p> : <Content />}
      {tab.value === "columns" && data.value === null && model.value !== null && !isEmpty && (
        <p class="hint">The data set is not on this server, so only the model is shown.</p>
      )}
    </div>
  );
}
