// The file to train on, as it was dropped or chosen. What becomes of it is in a file of the page that is loaded later.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { go } from "../hash";

export const file = signal<File | null>(null);

/** Opens the dialog with the content of a file. */
export function openFile(chosen: File): void {
  file.value = chosen;
  go({ panel: "file" }, true);
}

export function ChooseFile({ children }: { children: ComponentChildren }) {
  return (
    <label class="file">
      {children}
      <input
        type="file"
        accept=".csv,.tsv,.tab,.txt,.data,.json,.ndjson,.jsonl,.npy,.zip,.gz,text/csv,application/json"
        onChange={(event) => {
          const picked = event.currentTarget.files?.[0];
          event.currentTarget.value = ""; // so that choosing the same file again is a change
          if (picked) openFile(picked);
        }}
      />
    </label>
  );
}
