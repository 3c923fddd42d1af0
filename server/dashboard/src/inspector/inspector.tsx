// The run on the stage: its sampling, its quality, its exports and its settings.
import { Action } from "../action";
import { go } from "../hash";
import { openForm } from "../new/form";
import { hasModel, isOver, job, nameOf, sentence } from "../runs";
import { shown } from "../stage/subject";
import { kindOf } from "../tabs";
import { Exports } from "./exports";
import { Quality } from "./quality";
import { Sampling } from "./sampling";
import { Settings } from "./settings";

export function Inspector() {
  const run = job.value;
  if (!run) return null;
  const isImages = kindOf(run) === "images";
  return (
    <section class="inspector" aria-labelledby="inspector-title">
      <header class="inspector-head">
        <h2 id="inspector-title">{nameOf(run)}</h2>
        <Action act={() => openForm(run.spec)} title="Start a new run from these settings">
          Clone
        </Action>
      </header>
      {run.status === "failed" && run.error && (
        <p class="error" role="alert">
          {sentence(run.error.detail)}
        </p>
      )}
      {run.warnings.map((each) => (
        <p key={each.code} class="warning">
          {sentence(each.detail)}
        </p>
      ))}
      {hasModel(run) ? (
        <>
          <Sampling />
          {shown.value?.evaluations && (
            <p class="hint">
              {shown.value.evaluations} network evaluations per {isImages ? "image" : "point"}
            </p>
          )}
          {!isImages && (
            <button
              type="button"
              title="Compare samplers (c)"
              onClick={() => go({ panel: "samplers" }, true)}
            >
              Compare samplers
            </button>
          )}
          <Quality />
        </>
      ) : (
        !isOver(run) && <p class="empty">Sampling controls appear after the first checkpoint.</p>
      )}
      <Exports />
      <Settings />
    </section>
  );
}
