// Draw your own data: brush, spray, eraser, or a typed word.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Dataset, getJson, url } from "../api";
import { Dialog } from "../dialog";
import { isCut } from "../events";
import { go, view } from "../hash";
import { ChooseFile } from "../new/choose-file";
import { Trouble } from "../new/trouble";
import { submit } from "../runs";
import { ink } from "../theme";
import { points, SIZE, stroke, TOOLS, toData, tool, write } from "./strokes";

const LEAST = 50;

const word = signal("");
const trouble = signal<Error | null>(null);
const sending = signal(false);

async function train(): Promise<void> {
  sending.value = true;
  trouble.value = null;
  try {
    const made = await getJson<Dataset>(url("/v1/datasets", { name: word.value || "drawing" }), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ points: points.value.map(toData) }),
    });
    await submit({ name: word.value || "my drawing", dataset: { id: made.id } });
  } catch (error) {
    trouble.value = error as Error;
  }
  sending.value = false;
}

export function Draw() {
  const ref = useRef<HTMLCanvasElement>(null);
  const before = useRef<[number, number] | null>(null);
  const list = points.value;
  const color = ink.value.point;
  useEffect(() => {
    trouble.value = null; // the error may be from an earlier visit
  }, []);
  useEffect(() => {
    const context = ref.current!.getContext("2d")!;
    context.clearRect(0, 0, SIZE, SIZE);
    context.fillStyle = color;
    for (const [x, y] of list) context.fillRect(x - 1, y - 1, 2, 2);
  }, [list, color]);

  const at = (event: PointerEvent): [number, number] => {
    const box = ref.current!.getBoundingClientRect();
    return [((event.clientX - box.left) * SIZE) / box.width, ((event.clientY - box.top) * SIZE) / box.height];
  };
  return (
    <Dialog title="Draw your own data" wide onClose={() => go({ panel: "" })}>
      <div class="draw">
        <div class="tools">
          <fieldset class="segments">
            <legend class="sr-only">Tool</legend>
            {TOOLS.map(([each, label]) => (
              <button
                key={each}
                type="button"
                aria-pressed={tool.value === each}
                onClick={() => (tool.value = each)}
              >
                {label}
              </button>
            ))}
          </fieldset>
          <button type="button" onClick={() => (points.value = [])}>
            Clear
          </button>
          <label>
            Or type a word
            <input
              type="text"
              maxLength={12}
              value={word.value}
              onInput={(event) => {
                word.value = event.currentTarget.value;
                write(word.value);
              }}
            />
          </label>
        </div>
        <canvas
          ref={ref}
          width={SIZE}
          height={SIZE}
          aria-label="Drawing area"
          onPointerDown={(event) => {
            (event.currentTarget as HTMLCanvasElement).setPointerCapture(event.pointerId);
            before.current = at(event);
            stroke(before.current, before.current);
          }}
          onPointerMove={(event) => {
            if (!before.current) return;
            const now = at(event);
            stroke(before.current, now);
            before.current = now;
          }}
          onPointerUp={() => (before.current = null)}
          onPointerCancel={() => (before.current = null)}
        />
        {view.value.data && view.value.job === "" && (
          <p role="status">This link contains a drawing. Train a model on it here.</p>
        )}
        <p class="hint">
          {list.length < LEAST
            ? `${list.length} of at least ${LEAST} points.`
            : `${list.length.toLocaleString("en")} points.`}{" "}
          Drop a CSV, JSON or NPY file, or <ChooseFile>browse</ChooseFile>.
        </p>
        {trouble.value && (
          <div class="error" role="alert">
            <Trouble error={trouble.value} />
          </div>
        )}
        <div class="buttons">
          <button
            type="button"
            class="primary big"
            disabled={sending.value || list.length < LEAST || isCut.value}
            onClick={() => void train()}
          >
            Train on this drawing
          </button>
        </div>
      </div>
    </Dialog>
  );
}
