// A field for every hyper-parameter that the API's own description has, with its limits and its words.
import { type Schema, schemas } from "../description";
import { plan, problems, set, values } from "./form";

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

export function Fields() {
  const properties = Object.entries(schemas.value.JobRequest?.properties ?? {});
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
