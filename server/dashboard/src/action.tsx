// A button that sends a request to the server. It is marked busy while it waits, and disabled while the connection is lost.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { absence } from "./api";
import { isCut } from "./events";
import { say } from "./runs";

interface Props {
  act: () => Promise<unknown>;
  children: ComponentChildren;
  title?: string;
  label?: string; // the accessible name, if it differs from the text
  class?: string;
}

export function Action({ act, children, title, label, class: look }: Props) {
  const waiting = useMemo(() => signal(false), []);
  const lost = isCut.value;
  const press = async () => {
    if (waiting.value) return; // a second press must not send a second request
    waiting.value = true;
    try {
      await act();
    } catch (error) {
      say((error as Error).message);
    }
    waiting.value = false;
  };
  return (
    <button
      type="button"
      class={look}
      title={lost ? absence.value || "The connection to the server has been lost." : title}
      aria-label={label}
      aria-busy={waiting.value}
      disabled={lost}
      onClick={() => void press()}
    >
      {children}
    </button>
  );
}
