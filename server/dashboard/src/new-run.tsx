// A new run: a data set, and every hyper-parameter that the API's own description has, with its limits and its words.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, base, client, getBytes, getJson, must, postJson, type Schema, url } from "./api";
import { Dialog } from "./dialog";
import { drawPoints } from "./draw-points";
import { go } from "./hash";
import { readNpy } from "./npy";
import { notice, submit } from "./runs";
import { ink } from "./theme";
import { boundsOf } from "./trajectory";

interface DatasetRow {
  id: string;
  name: string;
  description?: string | null;
  kind?: string;
}
type Values = Record<string, string | boolean>; // by "group.field" or "field"; "" and absent: the preset's value

export const datasets = signal<DatasetRow[]>([]);
export const chosenData = signal<string[]>(["spiral"]); // ids; several make one class each
const schema = signal<Schema | null>(null);
const values = signal<Values>({});
const problems = signal<Record<string, string>>({});
const plan = signal<{
  spec: Record<string, unknown>;
  steps: number;
  parameters: number;
  warnings: string[];
} | null>(null);
const sending = signal(false);

export async function loadDatasets(): Promise<void> {
  const page = await must(client.GET("/v1/datasets", { params: { query: { limit: 200 } as never } }));
  datasets.value = (page as { items: DatasetRow[] }).items;
}

async function loadSchema(): Promise<void> {
  if (schema.value) return;
  const description = await getJson<{ components: { schemas: Record<string, Schema> } }>(
    `${base}/openapi.json`,
  );
  schema.value = description.components.schemas.JobRequest ?? null;
}

const builtIn = (id: string) => datasets.value.find((each) => each.id === id)?.kind !== "upload";
const source = (id: string) => (builtIn(id) ? id : { id });

/** The request that the form stands for. */
function request(): Record<string, unknown> {
  const [first, ...more] = chosenData.value;
  const out: Record<string, unknown> = {
    dataset: more.length > 0 ? chosenData.value.map(source) : source(first ?? "spiral"),
  };
  for (const [path, value] of Object.entries(values.value)) {
    if (value === "") continue;
    const [group, field] = path.includes(".") ? path.split(".") : ["", path];
    const type = field && typeOf(group ?? "", field);
    const read = type === "integer" || type === "number" ? Number(value) : value;
    if (group) {
      out[group] = { ...(out[group] as object | undefined), [field!]: read };
    } else out[field!] = read;
  }
  return out;
}

const fieldOf = (group: string, name: string): Schema | undefined =>
  group ? schema.value?.properties?.[group]?.properties?.[name] : schema.value?.properties?.[name];
const typeOf = (group: string, name: string) => fieldOf(group, name)?.type;

let validation = 0;
/** Asks the server what the job would be, a moment after the last change. */
function validate(): void {
  clearTimeout(validation);
  validation = window.setTimeout(async () => {
    try {
      const answer = await postJson<{
        spec: Record<string, unknown>;
        steps: number;
        parameters: number;
        warnings?: (string | { detail: string })[];
      }>(url("/v1/jobs", { validate_only: true }), request());
      plan.value = {
        ...answer,
        warnings: (answer.warnings ?? []).map((each) => (typeof each === "string" ? each : each.detail)),
      };
      problems.value = {};
    } catch (error) {
      plan.value = null;
      const listed = error instanceof ApiError ? (error.problem.errors ?? []) : [];
      problems.value = Object.fromEntries(
        listed.length > 0
          ? listed.map((each) => [each.pointer.slice(1).replace("/", "."), each.detail])
          : [["", (error as Error).message]],
      );
    }
  }, 150);
}

function set(path: string, value: string | boolean): void {
  values.value = { ...values.value, [path]: value };
  validate();
}

function choose(id: string, several: boolean): void {
  const now = chosenData.value;
  if (!several) chosenData.value = [id];
  else if (!now.includes(id)) chosenData.value = [...now, id];
  else if (now.length > 1) chosenData.value = now.filter((each) => each !== id);
  validate();
}

const thumbnails = new Map<string, Float32Array>();

function Thumbnail({ id, title }: { id: string; title: string }) {
  const draw = async (canvas: HTMLCanvasElement | null) => {
    if (!canvas || canvas.dataset.id === `${id}${ink.value.dark}`) return;
    canvas.dataset.id = `${id}${ink.value.dark}`;
    let points = thumbnails.get(id);
    if (!points) {
      const { data, shape } = readNpy(await getBytes(url(`/v1/datasets/${id}/points.npy`, { n: 400 })));
      const [n = 0, dim = 1] = shape;
      points = new Float32Array(2 * n);
      for (let i = 0; i < n; i++) {
        points[2 * i] = data[i * dim]!;
        points[2 * i + 1] = dim > 1 ? data[i * dim + 1]! : 0;
      }
      thumbnails.set(id, points);
    }
    const context = canvas.getContext("2d")!;
    const bounds = boundsOf(points, 2);
    context.clearRect(0, 0, canvas.width, canvas.height);
    drawPoints(
      { context, size: canvas.width, left: 0, top: 0, bounds: { ...bounds, radius: bounds.radius * 0.8 } },
      points,
      null,
      ink.value.point,
      1.3,
      0.7,
    );
  };
  return (
    <canvas width="112" height="112" title={title} ref={(node) => void draw(node).catch(() => undefined)} />
  );
}

function Gallery() {
  const several = chosenData.value.length > 1;
  return (
    <fieldset class="gallery">
      <legend>Data set{several && "s, one class each"}</legend>
      {datasets.value.map((each) => (
        <button
          key={each.id}
          type="button"
          aria-pressed={chosenData.value.includes(each.id)}
          title={each.description ?? each.name}
          onClick={(event) => choose(each.id, event.shiftKey || event.ctrlKey || event.metaKey)}
        >
          <Thumbnail id={each.id} title={each.description ?? each.name} />
          {each.name}
        </button>
      ))}
      <button type="button" class="draw-own" onClick={() => go({ panel: "draw" }, true)}>
        <span aria-hidden="true">✎</span>
        your own …
      </button>
      <p class="hint">With Shift or Ctrl, choose several: they become classes to sample by.</p>
    </fieldset>
  );
}

/** What a field is if it is left empty: the preset's value. */
function fallback(group: string, name: string): string {
  const spec = plan.value?.spec as Record<string, unknown> | undefined;
  const value = group ? (spec?.[group] as Record<string, unknown> | undefined)?.[name] : spec?.[name];
  return value === undefined || value === null || typeof value === "object" ? "" : String(value);
}

function limits(field: Schema): string {
  const low = field.minimum ?? field.exclusiveMinimum;
  if (low === undefined && field.maximum === undefined) return "";
  return ` (${low ?? ""} … ${field.maximum ?? ""})`;
}

function Field({ group, name, field }: { group: string; name: string; field: Schema }) {
  const path = group ? `${group}.${name}` : name;
  const id = `field-${path}`;
  const problem = problems.value[path];
  const value = values.value[path] ?? "";
  const numeric = field.type === "integer" || field.type === "number";
  const shared = { id, "aria-describedby": `${id}-doc`, "aria-invalid": problem !== undefined };
  return (
    <div class={problem ? "field wrong" : "field"}>
      <label for={id}>{name.replaceAll("_", " ")}</label>
      {field.enum ? (
        <select {...shared} value={String(value)} onChange={(event) => set(path, event.currentTarget.value)}>
          <option value="">{fallback(group, name) || "preset"}</option>
          {field.enum.map((each) => (
            <option key={each} value={each}>
              {each}
            </option>
          ))}
        </select>
      ) : field.type === "boolean" ? (
        <input
          {...shared}
          type="checkbox"
          checked={value === "" ? fallback(group, name) === "true" : value === true}
          onChange={(event) => set(path, event.currentTarget.checked)}
        />
      ) : (
        <input
          {...shared}
          type="text"
          inputMode={numeric ? "decimal" : "text"}
          value={String(value)}
          placeholder={fallback(group, name)}
          onInput={(event) => set(path, event.currentTarget.value)}
        />
      )}
      <small id={`${id}-doc`}>{problem ?? `${field.description ?? ""}${limits(field)}`}</small>
    </div>
  );
}

const SIMPLE = new Set(["integer", "number", "string", "boolean"]);

function Fields() {
  const properties = Object.entries(schema.value?.properties ?? {});
  const groups = properties.filter(([name, field]) => field.properties && name !== "dataset");
  const top = properties.filter(([, field]) => field.type && SIMPLE.has(field.type));
  return (
    <>
      <div class="fields">
        {top.map(([name, field]) => (
          <Field key={name} group="" name={name} field={field} />
        ))}
      </div>
      {groups.map(([group, inner]) => (
        <details key={group} open={Object.keys(problems.value).some((path) => path.startsWith(`${group}.`))}>
          <summary>
            {group} <small>{inner.description}</small>
          </summary>
          <div class="fields">
            {Object.entries(inner.properties ?? {}).map(([name, field]) => (
              <Field key={name} group={group} name={name} field={field} />
            ))}
          </div>
        </details>
      ))}
    </>
  );
}

export function NewRun() {
  useEffect(() => {
    const fail = (error: Error) => {
      problems.value = { "": error.message };
    };
    loadDatasets().catch(fail);
    loadSchema().then(validate).catch(fail);
  }, []);
  const train = async () => {
    sending.value = true;
    try {
      const made = await submit(request());
      notice.value = `queued: ${made.id}`;
    } catch (error) {
      problems.value = { "": (error as Error).message };
    }
    sending.value = false;
  };
  const general = Object.entries(problems.value).filter(
    ([path]) => path === "" || path.startsWith("dataset"),
  );
  return (
    <Dialog title="New run" wide onClose={() => go({ panel: "" })}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void train();
        }}
      >
        <Gallery />
        <Fields />
        <footer>
          <div role="status" class="plan">
            {plan.value &&
              `${plan.value.steps.toLocaleString("en")} steps, ${plan.value.parameters.toLocaleString("en")} parameters`}
            {plan.value?.warnings.map((text) => (
              <p key={text} class="warning">
                {text}
              </p>
            ))}
            {general.map(([path, text]) => (
              <p key={path} class="error">
                {text}
              </p>
            ))}
          </div>
          <button
            type="submit"
            class="primary big"
            disabled={sending.value || Object.keys(problems.value).some(Boolean)}
          >
            Train
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
