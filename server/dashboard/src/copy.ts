import { say } from "./runs";

/** The way of plain HTTP, where browsers offer no clipboard. False: it did not work. */
function copySelected(text: string): boolean {
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  const area = document.createElement("textarea");
  area.value = text;
  // what lies outside of a modal dialog cannot be selected
  (focused?.closest("dialog") ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return isCopied;
}

/** Copies text, and says so. */
export async function copy(text: string, done = "Copied."): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copySelected(text)) return say("The browser does not allow copying: select the text instead.");
  }
  say(done);
}
