// The page: the stage in the middle, the inspector on its right, the loss below, the runs on the left.
import { useSignalEffect } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { absence, keyState } from "./api";
import { Code } from "./code";
import { Confirmation } from "./dialog";
import { Draw } from "./draw/draw";
import { DropHint } from "./drop";
import { connection, lastHeard } from "./events";
import { view } from "./hash";
import { Header } from "./header";
import { Help } from "./help";
import { Inspector } from "./inspector/inspector";
import { Samplers } from "./inspector/samplers";
import { KeyPrompt } from "./key-prompt";
import { lazy } from "./lazy";
import { folded, Loss } from "./loss/loss";
import { NewRun } from "./new/new-run";
import { Notices } from "./notices";
import { absent, job, jobs, loadError, loaded, nameOf } from "./runs";
import { RunList } from "./runs/list";
import { RunTable } from "./runs/table";
import { FirstVisit } from "./stage/first-visit";
import { ResultTabs } from "./stage/result-tabs";
import { Stage } from "./stage/stage";
import { StageTools } from "./stage/tools";
import { Track } from "./stage/track";
import { kind, tab, tabs } from "./tabs";

const PANELS: Record<string, FunctionComponent> = {
  new: NewRun,
  draw: Draw,
  file: lazy((parts) => parts.DataFile),
  runs: RunTable,
  nodes: lazy((parts) => parts.NodeTable),
  samplers: Samplers,
  code: Code,
  help: Help,
};

const Results = lazy((parts) => parts.Results);
const ImageStage = lazy((parts) => parts.ImageStage);

function Lost() {
  const time = new Date(lastHeard.value).toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
  return (
    <p class="banner" role="alert">
      The connection was lost at {time}. Retrying …
    </p>
  );
}

function Away() {
  return (
    <p class="banner" role="alert">
      {absence.value} Nothing is lost: training pauses, and everything goes on by itself as soon as it can.
    </p>
  );
}

/** The message for a link to a run that this server does not have. */
function Absent() {
  const { id, instead } = absent.value;
  if (!id || instead !== view.value.job) return null;
  return (
    <p class="banner mild" role="status">
      This run does not exist: it was deleted, or it is on another server.
      {job.value && ` Showing ${nameOf(job.value)} instead.`}
    </p>
  );
}

/** What the page shows instead of the runs as long as the server requires a key and has not received one. */
function Locked() {
  return (
    <section class="key-card" aria-labelledby="locked-title">
      <h2 id="locked-title">API key required</h2>
      <p>You need an API key to see the runs of this server.</p>
      <button type="button" class="primary big" onClick={() => (keyState.value = "wanted")}>
        Enter a key
      </button>
    </section>
  );
}

/** The title of the tab shows the progress of the run on the stage, also in the background. */
function title(): string {
  const run = job.value;
  if (!run) return "denoised";
  const percent = run.status === "running" ? `${Math.round(100 * run.progress.fraction)}% – ` : "";
  return `${percent}${nameOf(run)} – denoised`;
}

function Animation() {
  const content =
    kind.value === "images" ? (
      <ImageStage />
    ) : (
      <>
        <StageTools />
        <Stage />
        <Track />
      </>
    );
  if (tabs.value.length === 1) return content;
  return (
    <div class="animation" role="tabpanel" id="results" aria-labelledby={`tab-${tab.value}`}>
      {content}
    </div>
  );
}

function Page() {
  const empty = loaded.value && !loadError.value && jobs.value.length === 0;
  const classes = [
    empty ? "empty-page" : "",
    view.value.full && !empty ? "stage-only" : "",
    folded.value ? "loss-folded" : "",
  ];
  return (
    <main class={classes.filter(Boolean).join(" ")}>
      <section class="stage" id="stage" tabIndex={-1} aria-label="Stage">
        {tabs.value.length > 1 && <ResultTabs />}
        {kind.value === "table" && tab.value !== "animation" ? <Results /> : <Animation />}
        {empty && <FirstVisit />}
      </section>
      {!empty && (
        <>
          <Inspector />
          <Loss />
          <RunList />
        </>
      )}
    </main>
  );
}

export function App() {
  const Panel = PANELS[view.value.panel];
  const locked = keyState.value !== "none" && jobs.value.length === 0;
  useSignalEffect(() => {
    document.title = title();
  });
  return (
    <>
      <SkipLinks />
      <Header />
      {connection.value === "lost" && <Lost />}
      {connection.value === "away" && <Away />}
      <Absent />
      {locked ? (
        <main class="locked-page">
          <Locked />
        </main>
      ) : (
        <Page />
      )}
      {Panel && <Panel key={view.value.panel} />}
      <Confirmation />
      <DropHint />
      {keyState.value === "wanted" && <KeyPrompt />}
      <Notices />
    </>
  );
}

/** The address holds the view, so these are buttons: a link would change it. */
function SkipLinks() {
  const places: [string, string][] = [
    ["stage", "Skip to the stage"],
    ["runs", "Skip to the runs"],
  ];
  return (
    <nav class="skip" aria-label="Skip">
      {places.map(([id, text]) => (
        <button key={id} type="button" onClick={() => document.getElementById(id)?.focus()}>
          {text}
        </button>
      ))}
    </nav>
  );
}
