// The top of the page: whether it is live, and what concerns all of it.
import { signal } from "@preact/signals";
import { base } from "./api";
import { copy } from "./copy";
import { connection } from "./events";
import { address, go } from "./hash";
import { ink, toggleTheme } from "./theme";

export const curlOpen = signal(false);

const STATES = { connecting: "connecting", live: "live", lost: "reconnecting …", locked: "wants a key" };

export function Header() {
  return (
    <header class="top">
      <h1>
        <img src={`${base}/assets/icon.svg`} alt="" width="26" height="26" /> denoised
      </h1>
      <span class={`connection ${connection.value}`} role="status">
        {STATES[connection.value]}
      </span>
      <nav aria-label="page">
        <button type="button" onClick={() => go({ panel: "draw" }, true)} title="draw your own data (d)">
          ✎<span class="wide-only"> Draw</span>
        </button>
        <button
          type="button"
          aria-label="Share: copy the link to this picture"
          title="copy the link to this picture"
          onClick={() => void copy(address(), "the link to this picture is copied")}
        >
          <span aria-hidden="true">↗</span>
          <span class="wide-only"> Share</span>
        </button>
        <button
          type="button"
          aria-label="as curl commands"
          title="as curl commands"
          aria-pressed={curlOpen.value}
          onClick={() => (curlOpen.value = !curlOpen.value)}
        >
          {"</>"}
        </button>
        <button
          type="button"
          onClick={toggleTheme}
          title="light or dark (t)"
          aria-label={ink.value.dark ? "light theme" : "dark theme"}
        >
          {ink.value.dark ? "☀" : "☾"}
        </button>
        <button
          type="button"
          onClick={() => go({ panel: "help" })}
          aria-label="keys and help"
          title="keys and help (?)"
        >
          ?
        </button>
        <a href={`${base}/docs`}>API</a>
      </nav>
    </header>
  );
}
