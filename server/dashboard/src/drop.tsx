// Files can be dropped anywhere on the page. The end of a file's name decides what happens to it.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { openFiles } from "./new/choose-file";

interface Taker {
  end: string; // of the file's name, in lower case
  take: (file: File) => void;
}
/** The first taker that fits receives the file. If none does, the file is opened as data. */
export const takers: Taker[] = [];

const isOver = signal(false); // a file is held over the page
const LEFT_MS = 700; // without an event, the pointer has left the page
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
  event.preventDefault(); // otherwise the browser would open the file instead of this page
  isOver.value = false;
  const files = [...(event.dataTransfer?.files ?? [])];
  const [file] = files;
  if (!file) return;
  const taker = takers.find(({ end }) => file.name.toLowerCase().endsWith(end));
  if (taker) taker.take(file);
  else openFiles(files);
}

export function catchDrops(): void {
  document.addEventListener("dragover", hover);
  document.addEventListener("drop", drop);
}

/** Covers the page, including dialogs, while a file is held over it. */
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
