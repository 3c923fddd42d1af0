// Parts of the page that are in a file of their own, so that the first view does not wait for them.
import { signal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect } from "preact/hooks";

type Parts = typeof import("./tables/tables");

const parts = signal<Parts | null>(null);
const isMissing = signal(false);

/** Loads the file, unless it is there already. A failure is shown where a part of it belongs. */
export async function load(): Promise<void> {
  if (parts.value) return;
  isMissing.value = false;
  try {
    parts.value = await import("./tables/tables");
  } catch {
    isMissing.value = true;
  }
}

/** Either the server does not answer, or it has been updated, and its files no longer match those of this page. */
function Missing() {
  return (
    <p class="banner" role="alert">
      A part of this page could not be loaded.{" "}
      <button type="button" onClick={() => location.reload()}>
        Reload the page
      </button>
    </p>
  );
}

/** A part of the file: shown as soon as the file has been loaded. */
export function lazy<Props extends object>(
  pick: (parts: Parts) => FunctionComponent<Props>,
): FunctionComponent<Props> {
  return (props) => {
    useEffect(() => void load(), []);
    if (isMissing.value) return <Missing />;
    const Part = parts.value && pick(parts.value);
    return Part && <Part {...props} />;
  };
}
