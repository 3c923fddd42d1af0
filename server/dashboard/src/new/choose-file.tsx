// The file to train on, as it was dropped or chosen. What becomes of it is in a file of the page that is loaded later.
import { batch, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { go, view } from "../hash";

export const file = signal<File | null>(null);
/** The labels of its images, which MNIST has in a file of their own. */
export const labels = signal<File | null>(null);

const hasLabels = ({ name }: File) => /label.*(ubyte|\.npy)(\.gz)?$/i.test(name);

/** Opens the dialog with the content of a file. Labels go with the other file, or with the one that is open. */
export function openFiles(chosen: File[]): void {
  const named = chosen.find(hasLabels) ?? null;
  const open = view.value.panel === "file" ? file.value : null;
  const other = chosen.find((each) => each !== named) ?? open;
  batch(() => {
    file.value = other ?? named;
    labels.value = other ? named : null;
  });
  go({ panel: "file" }, true);
}

export function ChooseFile({ children }: { children: ComponentChildren }) {
  return (
    <label class="file">
      {children}
      <input
        type="file"
        multiple
        accept=".csv,.tsv,.tab,.txt,.data,.json,.ndjson,.jsonl,.npy,.zip,.gz,text/csv,application/json"
        onChange={(event) => {
          const picked = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = ""; // so that choosing the same file again is a change
          if (picked.length > 0) openFiles(picked);
        }}
      />
    </label>
  );
}
