// The fields of the form: one for each hyperparameter in the OpenAPI description, with its limits and its explanation.
import { fieldsOf, kindOf, type Schema, schemas } from "../description";
import { chosen, defaults, problems, set, values, valuesOf } from "./form";
import { helpOf, labelOf } from "./words";

/** The value of a field that is left empty: that of the preset. */
function fallback(path: string): string {
  const [part] = [defaults.value.dataset].flat();
  const usual = path.startsWith("dataset.")
    ? valuesOf({ ...defaults.value, ...{ of: part } })
    : valuesOf(defaults.value);
  return String(usual[path.replace("dataset.", "of.")] ?? "");
}

const idOf = (path: string) => `field-${path}`;

/** Moves the focus to a field, and opens the group that contains it. */
export function reach(path: string): void {
  const field = document.getElementById(idOf(path));
  field?.closest("details")?.setAttribute("open", "");
  field?.focus();
}

function Input({ path, field, said }: { path: string; field: Schema; said: string }) {
  const value = values.value[path] ?? "";
  const usual = fallback(path);
  const shared = {
    id: idOf(path),
    "aria-describedby": said,
    "aria-invalid": problems.value[path] !== undefined,
  };
  const isPreset = path === "preset"; // this field itself does not depend on the preset
  if (field.enum)
    return (
      <select
        {...shared}
        value={String(value || (isPreset ? usual : ""))}
        onChange={(event) => set(path, event.currentTarget.value)}
      >
        {!isPreset && <option value="">{usual ? `${usual} (preset)` : "preset"}</option>}
        {field.enum.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    );
  if (kindOf(field) === "boolean")
    return (
      <input
        {...shared}
        type="checkbox"
        checked={value === "" ? usual === "true" : value === true}
        onChange={(event) => set(path, event.currentTarget.checked)}
      />
    );
  return (
    <input
      {...shared}
      type="text"
      inputMode={kindOf(field) === "string" ? "text" : "decimal"}
      autocomplete="off"
      value={String(value)}
      placeholder={usual}
      onInput={(event) => set(path, event.currentTarget.value)}
    />
  );
}

function Field({ group, name, field }: { group: string; name: string; field: Schema }) {
  const path = group ? `${group}.${name}` : name;
  const problem = problems.value[path];
  const [help, error] = [`${idOf(path)}-help`, `${idOf(path)}-error`];
  const isChanged = values.value[path] !== undefined && values.value[path] !== "";
  return (
    <div class={`field${problem ? " wrong" : ""}${isChanged ? " changed" : ""}`}>
      <label for={idOf(path)}>{labelOf(path)}</label>
      <Input path={path} field={field} said={problem ? `${error} ${help}` : help} />
      {problem && (
        <small id={error} class="error">
          {problem}
        </small>
      )}
      <small id={help}>{helpOf(field)}</small>
    </div>
  );
}

const SIMPLE = new Set(["integer", "number", "string", "boolean"]);

function Group({ group, title, doc }: { group: string; title: string; doc: string }) {
  const { network } = defaults.value; // of the kind that the data asks for
  const isOffered = (name: string) =>
    group === "network" ? !network || name in network : group !== "dataset" || name !== "name";
  const fields = Object.entries(fieldsOf(group)).filter(([name]) => isOffered(name));
  const isWrong = Object.keys(problems.value).some((path) => path.startsWith(`${group}.`));
  const changed = Object.entries(values.value).filter(
    ([path, v]) => path.startsWith(`${group}.`) && v !== "",
  );
  return (
    <details open={isWrong}>
      <summary>
        {title} <small>{doc}</small>
        {changed.length > 0 && <small class="count">{changed.length} changed</small>}
      </summary>
      <div class="fields">
        {fields.map(([name, field]) => (
          <Field key={name} group={group} name={name} field={field} />
        ))}
      </div>
    </details>
  );
}

export function Fields() {
  const properties = Object.entries(schemas.value.JobRequest?.properties ?? {});
  const top = properties.filter(([, field]) => SIMPLE.has(kindOf(field) ?? ""));
  const groups = properties.filter(([, field]) => field.properties);
  const isDrawn = chosen.value.some((each) => !each.upload); // points are drawn only from built-in data sets
  return (
    <>
      <div class="fields">
        {top.map(([name, field]) => (
          <Field key={name} group="" name={name} field={field} />
        ))}
      </div>
      {isDrawn && (
        <Group group="dataset" title="Data" doc="The number of points drawn from a built-in data set." />
      )}
      {groups.map(([name, { description = "" }]) => (
        <Group key={name} group={name} title={labelOf(name)} doc={description} />
      ))}
    </>
  );
}
