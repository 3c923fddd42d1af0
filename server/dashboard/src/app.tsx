// The page: runs on the left, the stage in the middle, the inspector on the right, the loss below.
import { keyState } from "./api";
import { CurlDrawer } from "./curl";
import { Confirmation } from "./dialog";
import { Draw } from "./draw/draw";
import { connection, lastHeard } from "./events";
import { view } from "./hash";
import { curlOpen, Header } from "./header";
import { Help } from "./help";
import { Inspector } from "./inspector/inspector";
import { Samplers } from "./inspector/samplers";
import { KeyPrompt } from "./key-prompt";
import { Loss } from "./loss/loss";
import { NewRun } from "./new/new-run";
import { jobs, loadError, loaded, notice } from "./runs";
import { RunList } from "./runs/list";
import { RunTable } from "./runs/table";
import { FirstVisit } from "./stage/first-visit";
import { Stage } from "./stage/stage";
import { StageTools } from "./stage/tools";
import { Track } from "./stage/track";

const PANELS: Record<string, () => preact.JSX.Element> = {
  new: NewRun,
  draw: Draw,
  runs: RunTable,
  samplers: Samplers,
  help: Help,
};

function Lost() {
  const time = new Date(lastHeard.value).toLocaleTimeString();
  return (
    <p class="banner" role="alert">
      The server does not answer. What is shown is what it said until {time}; the page tries again by itself.
    </p>
  );
}

export function App() {
  const Panel = PANELS[view.value.panel];
  const empty = loaded.value && !loadError.value && jobs.value.length === 0;
  return (
    <>
      <Header />
      {curlOpen.value && <CurlDrawer />}
      {connection.value === "lost" && <Lost />}
      <main class={empty ? "empty-page" : ""}>
        {!empty && <RunList />}
        <section class="stage" aria-label="stage">
          <StageTools />
          <Stage />
          <Track />
          {empty && <FirstVisit />}
        </section>
        {!empty && <Inspector />}
        {!empty && <Loss />}
      </main>
      {Panel && <Panel key={view.value.panel} />}
      <Confirmation />
      {keyState.value === "wanted" && <KeyPrompt />}
      <div class="sr-only" aria-live="polite">
        {notice.value}
      </div>
      {notice.value && <Toast text={notice.value} />}
    </>
  );
}

function Toast({ text }: { text: string }) {
  return (
    <div class="toast" aria-hidden="true" key={text}>
      {text}
    </div>
  );
}
