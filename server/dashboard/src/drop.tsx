// Files that are dropped on the page, wherever: who takes them is decided by the end of their names.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { openFile } from "./new/file";

interface Taker {
  end: string; // of the file's name, in lower case
  take: (file: File) => void;
}
/** The first one that fits takes a file; what none takes is data. */
export const takers: Taker[] = [];

const isOver = signal(false); // a file is held over the page
const LEFT_MS = 700; // without a word from the pointer: it has gone
let leaving = 0;

const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;

function hover(event: DragEvent): void {
  if (!hasFiles(event)) return;
  event.preventDefault();
  isOver.value = true;
  clearTimeout(leaving);
  leaving = window.setTimeout(() => {
    isOver.value = false;
  }, LEFT_MS);
}

function drop(event: DragEvent): void {
  if (!hasFiles(event)) return;
  event.preventDefault(); // the browser would leave the page for the file
  isOver.value = false;
  const file = event.dataTransfer?.files[0];
  if (!file) return;
  const taker = takers.find(({ end }) => file.name.toLowerCase().endsWith(end));
  (taker?.take ?? openFile)(file);
}

export function catchDrops(): void {
  document.addEventListener("dragover", hover);
  document.addEventListener("drop", drop);
}

/** Lies over everything, dialogs too, while a file is held over the page. */
export function DropHint() {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    ref.current?.togglePopover(isOver.value);
  }, [isOver.value]);
  return (
    <div ref={ref} popover="manual" class="drop-hint">
      Drop the file to see its contents
    </div>
  );
}
