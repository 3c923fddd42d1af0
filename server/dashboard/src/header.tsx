// The top of the page: the state of the connection, and buttons for the whole page.
import { base } from "./api";
import { copy } from "./copy";
import { connection } from "./events";
import { address, go } from "./hash";
import { choice, nextTheme } from "./theme";

const STATES = {
  connecting: "connecting",
  live: "live",
  lost: "reconnecting …",
  away: "waiting for the database …",
  locked: "API key required",
};
const THEME_SIGNS = { auto: "◐", light: "☀", dark: "☾" };

export function Header() {
  return (
    <header class="top">
      <h1>
        <img src={`${base}/assets/icon.svg`} alt="" width="26" height="26" /> denoised
      </h1>
      <span class={`connection ${connection.value}`} role="status">
        {STATES[connection.value]}
      </span>
      <nav aria-label="Page">
        <button
          type="button"
          aria-label="Draw your own data"
          title="Draw your own data (d)"
          onClick={() => go({ panel: "draw" }, true)}
        >
          <span aria-hidden="true">✎</span>
          <span class="wide-only"> Draw</span>
        </button>
        <button
          type="button"
          aria-label="Share: copy the link to this view"
          title="Copy the link to this view"
          onClick={() => void copy(address(), "The link to this view has been copied.")}
        >
          <span aria-hidden="true">↗</span>
          <span class="wide-only"> Share</span>
        </button>
        <button
          type="button"
          aria-label="Commands: this page as curl"
          title="This page as curl commands"
          onClick={() => go({ panel: "code" }, true)}
        >
          {"</>"}
        </button>
        <button
          type="button"
          onClick={nextTheme}
          title={`Theme: ${choice.value} (t)`}
          aria-label={`Theme: ${choice.value}`}
        >
          {THEME_SIGNS[choice.value]}
        </button>
        <button
          type="button"
          onClick={() => go({ panel: "help" }, true)}
          aria-label="Keys and help"
          title="Keys and help (?)"
        >
          ?
        </button>
        <a href={`${base}/docs`}>API</a>
      </nav>
    </header>
  );
}
