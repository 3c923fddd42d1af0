import { say } from "./runs";

/** Copies without the clipboard API, which browsers do not offer over plain HTTP. Returns whether it worked. */
function copySelected(text: string): boolean {
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  const area = document.createElement("textarea");
  area.value = text;
  // while a modal dialog is open, text outside of it cannot be selected
  (focused?.closest("dialog") ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return isCopied;
}

/** Copies text, and shows a notice. */
export async function copy(text: string, done = "Copied."): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copySelected(text)) return say("The browser does not allow copying. Select the text instead.");
  }
  say(done);
}
