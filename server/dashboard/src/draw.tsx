// Draw your own data: brush, spray, eraser, a typed word, or a file that is dropped here.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { getJson, url } from "./api";
import { Dialog } from "./dialog";
import { go } from "./hash";
import { submit } from "./runs";
import { ink } from "./theme";

type Tool = "brush" | "spray" | "eraser";
const TOOLS: [Tool, string][] = [
  ["brush", "Brush"],
  ["spray", "Spray"],
  ["eraser", "Eraser"],
];

const SIZE = 480; // of the canvas, in its own pixels
const MOST = 20000;
const tool = signal<Tool>("brush");
const points = signal<[number, number][]>([]); // in canvas pixels
const word = signal("");
const trouble = signal("");
const sending = signal(false);

/** Uniform in a disc, so that strokes have a little body. */
function jitter(radius: number): [number, number] {
  const r = radius * Math.sqrt(Math.random());
  const angle = 2 * Math.PI * Math.random();
  return [r * Math.cos(angle), r * Math.sin(angle)];
}

function stroke(from: [number, number], to: [number, number]): void {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  if (tool.value === "eraser") {
    points.value = points.value.filter(([x, y]) => Math.hypot(x - to[0], y - to[1]) > 16);
    return;
  }
  const [density, radius] = tool.value === "brush" ? [0.8, 2.5] : [0.6, 22];
  const count = Math.max(tool.value === "brush" ? 1 : 6, Math.round(length * density));
  const fresh: [number, number][] = [];
  for (let i = 0; i < count; i++) {
    const part = (i + Math.random()) / count;
    const [dx, dy] = jitter(radius);
    fresh.push([from[0] + part * (to[0] - from[0]) + dx, from[1] + part * (to[1] - from[1]) + dy]);
  }
  points.value = [...points.value, ...fresh].slice(-MOST);
}

/** The pixels that the browser's own letters cover, as points. */
function write(text: string): void {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  let size = 300;
  do {
    context.font = `600 ${size}px system-ui, sans-serif`;
    size -= 10;
  } while (size > 20 && context.measureText(text).width > SIZE * 0.9);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, SIZE / 2, SIZE / 2);
  const { data } = context.getImageData(0, 0, SIZE, SIZE);
  const covered: [number, number][] = [];
  for (let i = 0; i < SIZE * SIZE; i++)
    if (data[4 * i + 3]! > 128) covered.push([i % SIZE, Math.floor(i / SIZE)]);
  const wanted = Math.min(4000, covered.length);
  points.value = Array.from({ length: wanted }, () => {
    const [x, y] = covered[Math.floor(Math.random() * covered.length)]!;
    return [x + Math.random(), y + Math.random()];
  });
}

/** To data units: the canvas is [-1, 1] squared, y upwards. */
const toData = ([x, y]: [number, number]): [number, number] => [
  +((2 * x) / SIZE - 1).toFixed(4),
  +(1 - (2 * y) / SIZE).toFixed(4),
];

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
        <p class="hint">
          {list.length.toLocaleString("en")} points. A CSV, JSON or npy file can be dropped here, or{" "}
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
            disabled={sending.value || list.length < 50}
            onClick={() => void trainDrawing()}
          >
            Train on it
          </button>
        </div>
      </div>
    </Dialog>
  );
}
