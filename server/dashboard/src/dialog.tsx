// Modal dialogs, made of the browser's <dialog>: it keeps the focus inside, and Escape closes it.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { Action } from "./action";
import { Notices } from "./notices";

interface Question {
  title: string;
  text: string;
  verb: string;
  act: () => Promise<unknown>;
}
const question = signal<Question | null>(null);

/** Asks for confirmation before something that cannot be undone. */
export function confirmed(title: string, text: string, verb: string, act: () => Promise<unknown>): void {
  question.value = { title, text, verb, act };
}

export function Dialog(props: {
  title: string;
  wide?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const title = useId(); // a confirmation can open on top of another dialog
  useLayoutEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    // Without this, the browser would focus the first button, which closes the dialog.
    (dialog.querySelector<HTMLElement>("[data-first]") ?? dialog).focus();
  }, []);
  return (
    <dialog
      ref={ref}
      class={props.wide ? "wide" : ""}
      tabIndex={-1}
      aria-labelledby={title}
      onClose={props.onClose}
      onClick={(event) => {
        if (event.target === ref.current) ref.current?.close();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <Notices />
      <div class="dialog-body">
        <header>
          <h2 id={title}>{props.title}</h2>
          <button type="button" class="round" aria-label="Close" onClick={() => ref.current?.close()}>
            ✕
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

export function Confirmation() {
  const asked = question.value;
  if (!asked) return null;
  const close = () => (question.value = null);
  return (
    <Dialog title={asked.title} onClose={close}>
      <p>{asked.text}</p>
      <div class="buttons">
        <button type="button" data-first onClick={close}>
          Keep
        </button>
        <Action class="danger" act={() => asked.act().finally(close)}>
          {asked.verb}
        </Action>
      </div>
    </Dialog>
  );
}
