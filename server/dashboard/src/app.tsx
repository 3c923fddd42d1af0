// The page: runs on the left, the stage in the middle, the inspector on the right, the loss below.
import { signal } from "@preact/signals";
import { base, keyWanted, setKey } from "./api";
import { Confirmation, Dialog } from "./dialog";
import { Draw } from "./draw";
import { connection } from "./events";
import { go, view } from "./hash";
import { CurlDrawer, Inspector } from "./inspector";
import { KEYS } from "./keys";
import { Loss } from "./loss";
import { NewRun } from "./new-run";
import { RunList } from "./run-list";
import { loadError, loadJobs, notice } from "./runs";
import { Samplers } from "./samplers";
import { Stage, StageTools, Track } from "./stage";
import { ink, toggleTheme } from "./theme";

const curlOpen = signal(false);

function Header() {
  return (
    <header class="top">
      <h1>
        <img src={`${base}/assets/icon.svg`} alt="" width="24" height="24" /> denoised
      </h1>
      <span class={`connection ${connection.value}`} role="status">
        {connection.value === "lost" ? "reconnecting …" : connection.value}
      </span>
      <nav aria-label="page">
        <button type="button" onClick={() => go({ panel: "draw" }, true)} title="key d">
          ✎<span class="wide-only"> Draw</span>
        </button>
        <button
          type="button"
          aria-pressed={curlOpen.value}
          onClick={() => (curlOpen.value = !curlOpen.value)}
        >
          {"</>"}
        </button>
        <button
          type="button"
          onClick={toggleTheme}
          title="key t"
          aria-label={ink.value.dark ? "light theme" : "dark theme"}
        >
          {ink.value.dark ? "☀" : "☾"}
        </button>
        <button type="button" onClick={() => go({ panel: "help" })} aria-label="keys and help" title="key ?">
          ?
        </button>
        <a href={`${base}/docs`}>API</a>
      </nav>
    </header>
  );
}

function Help() {
  return (
    <Dialog title="Keys" onClose={() => go({ panel: "" })}>
      <dl class="keys">
        {KEYS.map((key) => (
          <div key={key.label}>
            <dt>
              <kbd>{key.label}</kbd>
            </dt>
            <dd>{key.doc}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">
        Everything here is the <a href={`${base}/docs`}>public API</a>. The address of this page holds what is
        shown: send it on, and others see the same points.
      </p>
    </Dialog>
  );
}

function KeyPrompt() {
  return (
    <Dialog title="This server wants a key" onClose={() => (keyWanted.value = false)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const field = event.currentTarget.elements.namedItem("key") as HTMLInputElement;
          setKey(field.value.trim());
          void loadJobs();
        }}
      >
        <label class="stacked">
          API key
          <input name="key" type="password" autocomplete="off" required placeholder="dn_…" />
        </label>
        <p class="hint">It is kept in this tab only.</p>
        <div class="buttons">
          <button type="submit" class="primary">
            Go on
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const PANELS: Record<string, () => preact.JSX.Element> = {
  new: NewRun,
  draw: Draw,
  samplers: Samplers,
  help: Help,
};

export function App() {
  const Panel = PANELS[view.value.panel];
  return (
    <>
      <Header />
      {curlOpen.value && <CurlDrawer />}
      {connection.value === "lost" && !loadError.value && (
        <p class="banner" role="alert">
          The server does not answer. What is shown is the last that was heard; the page tries again by
          itself.
        </p>
      )}
      <main>
        <RunList />
        <section class="stage" aria-label="stage">
          <StageTools />
          <Stage />
          <Track />
        </section>
        <Inspector />
        <Loss />
      </main>
      {Panel && <Panel />}
      <Confirmation />
      {keyWanted.value && <KeyPrompt />}
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
