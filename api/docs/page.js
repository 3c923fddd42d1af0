// The reference page: it shows openapi.json. Everything is inserted as text, never as markup, so a description cannot run code.

// An element with attributes and children; strings become text, and empty children are left out.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

// Text between backticks in a description becomes code.
function prose(text) {
  return text.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part));
}

const METHODS = ["get", "post", "put", "patch", "delete"];

// The part of the description that a JSON Pointer names.
function at(api, pointer) {
  const steps = decodeURIComponent(pointer).slice(2).split("/");
  return steps.reduce((found, step) => found[step.replaceAll("~1", "/").replaceAll("~0", "~")], api);
}

const SCHEMAS = "#/components/schemas/";

// A part of the description with every $ref replaced by the part that it names, except for schemas, which this page
// shows in their own section.
function inlined(api, part) {
  if (Array.isArray(part)) return part.map((each) => inlined(api, each));
  if (typeof part !== "object" || part === null) return part;
  if (typeof part.$ref === "string" && !part.$ref.startsWith(SCHEMAS)) return inlined(api, at(api, part.$ref));
  return Object.fromEntries(Object.entries(part).map(([name, each]) => [name, inlined(api, each)]));
}

// ---------------------------------------------------------------- schemas

const nameOf = (schema) => schema.$ref.split("/").at(-1);
const refLink = (schema) => make("a", { href: `#schema-${nameOf(schema)}` }, nameOf(schema));

// Puts `between` between the items of a list of lists of nodes.
const join = (lists, between) => lists.flatMap((list, i) => (i ? [between, ...list] : list));

// What a value is, in a few words.
function typeOf(schema) {
  if (schema.$ref) return [refLink(schema)];
  if (schema.enum) return join(schema.enum.map((value) => [make("code", {}, String(value))]), " | ");
  if ("const" in schema) return [make("code", {}, JSON.stringify(schema.const))];
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return join(choices.map(typeOf), " or ");
  const words = [schema.type ?? "file"].flat().map((type) => (type === "array" && schema.items ? ["array of ", ...typeOf(schema.items)] : [type]));
  return join(words, " or ");
}

// The limits of a value: "1 to 4000", "at most 100 characters".
function limitsOf(schema) {
  const { minimum: min, exclusiveMinimum: above, maximum: max, exclusiveMaximum: below } = schema;
  const limits = [];
  const low = min ?? above;
  const high = max ?? below;
  if (low !== undefined && high !== undefined) {
    limits.push(`${above !== undefined ? "above " : ""}${low} to ${below !== undefined ? "below " : ""}${high}`);
  } else if (low !== undefined) limits.push(above !== undefined ? `above ${low}` : `at least ${low}`);
  else if (high !== undefined) limits.push(below !== undefined ? `below ${high}` : `at most ${high}`);
  if (schema.multipleOf) limits.push(`a multiple of ${schema.multipleOf}`);
  if (schema.maxLength) limits.push(`at most ${schema.maxLength} characters`);
  if (schema.minItems) limits.push(`at least ${schema.minItems} items`);
  if (schema.maxItems) limits.push(`at most ${schema.maxItems} items`);
  if (schema.format) limits.push(schema.format);
  if (schema.default !== undefined) limits.push(`default ${JSON.stringify(schema.default)}`);
  return limits.length ? `, ${limits.join(", ")}` : "";
}

// The object schemas inside a schema, in whatever way it holds them.
function objectsIn(schema) {
  if (schema.properties) return [schema];
  const inner = [schema.items, ...(schema.anyOf ?? schema.oneOf ?? schema.allOf ?? [])].filter(Boolean);
  const found = inner.flatMap(objectsIn);
  const texts = found.map((object) => JSON.stringify(object));
  return found.filter((_, i) => texts.indexOf(texts[i]) === i);
}

function fieldView(name, schema, { needed = false, place = "", doc = schema.description } = {}) {
  const inner = objectsIn(schema);
  return make(
    "li",
    {},
    make("code", {}, name),
    needed ? make("span", { class: "needed" }, "required") : null,
    make("span", { class: "type" }, ...typeOf(schema), limitsOf(schema), place),
    doc ? make("span", { class: "doc" }, ...prose(doc)) : null,
    inner.map((object) =>
      make("details", { class: "inner" }, make("summary", {}, `fields of ${name}`), fieldsView(object, false)),
    ),
  );
}

function fieldsView(schema, marksNeeded) {
  const needed = marksNeeded ? (schema.required ?? []) : [];
  return make(
    "ul",
    { class: "fields" },
    Object.entries(schema.properties).map(([name, field]) =>
      fieldView(name, field, { needed: needed.includes(name) }),
    ),
  );
}

// A value that is not an object: each of its codes with its meaning, or its type.
function valueView(schema) {
  const codes = Object.entries(schema["x-enumDescriptions"] ?? {});
  if (!codes.length) return make("p", {}, ...typeOf(schema), limitsOf(schema));
  return make("dl", { class: "problems" }, codes.flatMap(([code, doc]) => [make("dt", {}, make("code", {}, code)), make("dd", {}, ...prose(doc))]));
}

function schemaView(name, schema) {
  return make(
    "article",
    { class: "card", id: `schema-${name}` },
    make("h3", {}, make("code", {}, name)),
    schema.description ? make("p", {}, ...prose(schema.description)) : null,
    schema.properties ? fieldsView(schema, false) : valueView(schema),
  );
}

// ---------------------------------------------------------------- operations

function parametersView(parameters) {
  const places = { path: ", in the path", header: ", a header" };
  return make(
    "ul",
    { class: "fields" },
    parameters.map((parameter) =>
      fieldView(parameter.name, parameter.schema ?? {}, {
        needed: parameter.required,
        place: places[parameter.in] ?? "",
        doc: parameter.description,
      }),
    ),
  );
}

// The headers that every response has; they are explained once, with the others.
function headersOfAll(operations) {
  const lists = operations.flatMap(({ operation }) => Object.values(operation.responses).map((each) => Object.keys(each.headers ?? {})));
  return (lists[0] ?? []).filter((name) => lists.every((list) => list.includes(name)));
}

const links = (prefix, names) => join(names.map((name) => [make("a", { href: `#${prefix}${name}` }, make("code", {}, name))]), ", ");

function answerView(server, [status, answer]) {
  const content = Object.entries(answer.content ?? {});
  const schema = content.map(([, media]) => media.schema).find(Boolean);
  const headers = Object.keys(answer.headers ?? {}).filter((name) => !server.common.includes(name));
  return [
    make("dt", {}, make("code", {}, status === "default" ? "other" : status)),
    make(
      "dd",
      {},
      ...prose(answer.description ?? ""),
      schema ? [" ", ...typeOf(schema)] : "",
      content.length ? make("div", { class: "media" }, content.map(([type]) => type).join(", ")) : null,
      headers.length ? make("div", { class: "media" }, "headers ", ...links("header-", headers)) : null,
      ),
  ];
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// A shell command for this operation.
function curlOf({ base, asksForKey }, path, method, operation) {
  const words = ["curl"];
  if (method !== "get") words.push("-X", method.toUpperCase());
  const examples = { datasets: "spiral" };
  const id = examples[operation.tags[0]] ?? (method === "delete" ? "ID" : "latest");
  words.push(base + path.replace("{id}", id));
  if (asksForKey && operation["x-scope"]) words.push("-H", '"Authorization: Bearer $DENOISED_KEY"');
  const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (type === "application/json") words.push("-H", quote(`Content-Type: ${type}`), "-d", quote(JSON.stringify(Object.values(media.examples ?? {})[0]?.value ?? {})));
  else if (type) words.push("-H", quote(`Content-Type: ${type}`), "--data-binary", "@FILE");
  return words.join(" ");
}

// Browsers have no navigator.clipboard on plain HTTP to another machine.
async function copy(pre, button) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(pre);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function shellView(line) {
  const pre = make("pre", {}, make("code", {}, line));
  const button = make("button", { type: "button", "aria-label": "Copy the command" }, "Copy");
  button.addEventListener("click", () => copy(pre, button));
  return make("div", { class: "shell" }, pre, button);
}

function operationView(server, path, method, operation) {
  const body = Object.entries(operation.requestBody?.content ?? {});
  const bodySchema = body.map(([, media]) => media.schema).find(Boolean);
  return make(
    "article",
    { class: "card", id: operation.operationId },
    make(
      "h3",
      {},
      make("span", { class: `method ${method}` }, method.toUpperCase()),
      make("code", {}, path),
      make("span", { class: "scope" }, operation["x-scope"] ? `scope ${operation["x-scope"]}` : "no key needed"),
    ),
    make("p", {}, ...prose(operation.summary)),
    operation.parameters?.length ? [make("h4", {}, "Parameters"), parametersView(operation.parameters)] : null,
    body.length
      ? [
          make("h4", {}, "Body"),
          make("p", {}, ...(bodySchema ? typeOf(bodySchema) : ["Bytes"]), " ",
            make("span", { class: "media" }, body.map(([type]) => type).join(", "))),
        ]
      : null,
    make("h4", {}, "Responses"),
    make("dl", { class: "answers" }, Object.entries(operation.responses).flatMap((each) => answerView(server, each))),
    make("h4", {}, "Try it"),
    shellView(curlOf(server, path, method, operation)),
  );
}

// ---------------------------------------------------------------- the page

function section(id, title, ...children) {
  return make("section", { "aria-labelledby": id }, make("h2", { id }, title), ...children);
}

function problemsView(problems) {
  return make(
    "dl",
    { class: "card problems" },
    problems.flatMap(({ code, status, description }) => [
      make("dt", { id: code }, make("code", {}, code), ` ${status}`),
      make("dd", {}, ...prose(description)),
    ]),
  );
}

function headersView(headers) {
  return make(
    "dl",
    { class: "card problems" },
    Object.entries(headers).flatMap(([name, { description = "", schema = {} }]) => [
      make("dt", { id: `header-${name}` }, make("code", {}, name), make("span", { class: "type" }, ...typeOf(schema), limitsOf(schema))),
      make("dd", {}, ...prose(description)),
    ]),
  );
}

function contents(groups, names) {
  const entry = (href, ...label) => make("li", {}, make("a", { href }, ...label));
  const lists = Object.entries(groups).map(([tag, operations]) => [
    make("h2", {}, tag),
    make(
      "ul",
      {},
      operations.map(({ path, method, operation }) =>
        entry(`#${operation.operationId}`,
          make("span", { class: `method ${method}` }, method.toUpperCase()), make("code", {}, path))),
    ),
  ]);
  const rest = make("ul", {}, entry("#problems", "Problems"), entry("#headers", "Headers"), entry("#schemas", `${names.length} schemas`));
  return [...lists.flat(), make("h2", {}, "reference"), rest];
}

// A server that asks for keys leaves no operation's security open.
const asksForKeys = (operations) => operations.some(({ operation: { security = [] } }) => security.length > 0 && security.every((each) => Object.keys(each).length > 0));

function show(api) {
  const base = location.origin + (api.servers?.[0]?.url ?? "").replace(/\/$/, "");
  let groups = {};
  for (const [path, described] of Object.entries(api.paths)) {
    const { parameters: shared = [], ...operations } = inlined(api, described);
    for (const method of METHODS.filter((name) => operations[name])) {
      const operation = { ...operations[method], parameters: [...shared, ...(operations[method].parameters ?? [])] };
      (groups[operation.tags[0]] ??= []).push({ path, method, operation });
    }
  }
  const all = Object.values(groups).flat();
  const server = { base, asksForKey: asksForKeys(all), common: headersOfAll(all) };
  // The resources come before the operations of the server.
  const { operations: running, ...resources } = groups;
  groups = { ...resources, ...(running ? { operations: running } : {}) };
  document.getElementById("summary").append(
    `${api.info.summary} Version ${api.info.version}; programs can read `,
    make("a", { href: "openapi.json" }, "openapi.json"), ".",
  );
  document.querySelector("nav").append(...contents(groups, Object.keys(api.components.schemas)));
  document.getElementById("content").replaceChildren(
    make("p", {}, ...prose(api.info.description)),
    ...Object.entries(groups).map(([tag, operations]) =>
      section(`tag-${tag}`, tag[0].toUpperCase() + tag.slice(1), ...operations.map(({ path, method, operation }) => operationView(server, path, method, operation))),
    ),
    section("problems", "Problems",
      make("p", {}, "An error is ", make("code", {}, "application/problem+json"), " (RFC 9457) with one of these codes. Its ",
        make("code", {}, "type"), " links to this list."),
      problemsView(api["x-problems"] ?? [])),
    section("headers", "Headers",
      make("p", {}, "Every response has ", ...links("header-", server.common), "."),
      headersView(inlined(api, api.components.headers ?? {}))),
    section("schemas", "Schemas", ...Object.entries(api.components.schemas).map(([name, schema]) => schemaView(name, schema))),
  );
  // The target of the address did not exist yet when the page was loaded.
  if (location.hash) location.replace(location.hash);
}

if (matchMedia("(max-width: 60rem)").matches) document.getElementById("contents").open = false;
try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`the server responded with ${answer.status}`);
  show(await answer.json());
} catch (error) {
  document.getElementById("content").replaceChildren(make("p", { role: "alert" }, `This page cannot show the description: ${error.message}.`));
}
