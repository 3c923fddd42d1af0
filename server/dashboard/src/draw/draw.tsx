// Draw your own data: brush, spray, eraser, a typed word, or a file that is dropped here.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { getJson, url } from "../api";
import { Dialog } from "../dialog";
import { go, view } from "../hash";
import { submit } from "../runs";
import { ink } from "../theme";
import { points, SIZE, stroke, TOOLS, toData, tool, write } from "./strokes";

const LEAST = 50;

const word = signal("");
const trouble = signal("");
const sending = signal(false);

async function upload(name: string, type: string, body: BodyInit): Promise<string> {
  const answer = await getJson<{ id: string }>(url("/v1/datasets", { name }), {
    method: "POST",
    headers: { "Content-Type": type },
    body,
  });
  return answer.id;
}

async function train(make: () => Promise<string>, name: string): Promise<void> {
  sending.value = true;
  trouble.value = "";
  try {
    const id = await make();
    await submit({ name, dataset: { id } });
  } catch (error) {
    trouble.value = (error as Error).message;
  }
  sending.value = false;
}

const trainDrawing = () =>
  train(
    () =>
      upload(
        word.value || "drawing",
        "application/json",
        JSON.stringify({ points: points.value.map(toData) }),
      ),
    word.value || "my drawing",
  );

function trainFile(file: File): Promise<void> {
  const type = file.name.endsWith(".npy")
    ? "application/octet-stream"
    : file.name.endsWith(".json")
      ? "application/json"
      : "text/csv";
  return train(() => upload(file.name, type, file), file.name);
}

export function Draw() {
  const ref = useRef<HTMLCanvasElement>(null);
  const before = useRef<[number, number] | null>(null);
  const list = points.value;
  const colour = ink.value.point;
  const area = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const take = (event: DragEvent) => {
      event.preventDefault();
      const file = event.type === "drop" && event.dataTransfer?.files[0];
      if (file) void trainFile(file);
    };
    area.current!.addEventListener("dragover", take);
    area.current!.addEventListener("drop", take);
  }, []);
  useEffect(() => {
    const context = ref.current!.getContext("2d")!;
    context.clearRect(0, 0, SIZE, SIZE);
    context.fillStyle = colour;
    for (const [x, y] of list) context.fillRect(x - 1, y - 1, 2, 2);
  }, [list, colour]);

  const at = (event: PointerEvent): [number, number] => {
    const box = ref.current!.getBoundingClientRect();
    return [((event.clientX - box.left) * SIZE) / box.width, ((event.clientY - box.top) * SIZE) / box.height];
  };
  return (
    <Dialog title="Draw your own data" wide onClose={() => go({ panel: "" })}>
      <div class="draw" ref={area}>
        <div class="tools">
          <fieldset class="segments">
            <legend class="sr-only">tool</legend>
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
            or type a word
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
          aria-label="drawing area"
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
          <p role="status">This link brings a drawing. Train on it, and it is dreamt here, too.</p>
        )}
        <p class="hint">
          {list.length < LEAST
            ? `${list.length} points, of which a data set needs ${LEAST}.`
            : `${list.length.toLocaleString("en")} points.`}{" "}
          A CSV, JSON or npy file can be dropped here, or{" "}
          <label class="file">
            chosen
            <input
              type="file"
              accept=".csv,.json,.npy,text/csv,application/json"
              onChange={(event) => {
                const file = event.currentTarget.files?.[0];
                if (file) void trainFile(file);
              }}
            />
          </label>
          .
        </p>
        {trouble.value && (
          <p class="error" role="alert">
            {trouble.value}
          </p>
        )}
        <div class="buttons">
          <button
            type="button"
            class="primary big"
            disabled={sending.value || list.length < LEAST}
            onClick={() => void trainDrawing()}
          >
            Train on it
          </button>
        </div>
      </div>
    </Dialog>
  );
}
