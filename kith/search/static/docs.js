// The OpenAPI document as a page: each operation with its parameters and the shape of its answer.

import { element } from "./grid.js";

const main = document.getElementById("operations");

function typeOf(schema, whole) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map((each) => typeOf(each, whole)).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items, whole)}`;
  if (schema.additionalProperties) return `object of ${typeOf(schema.additionalProperties, whole)}`;
  return schema.type ?? "";
}

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((each) => element("th", { scope: "col" }, each)));
  const body = rows.map((row) => element("tr", {}, ...row.map((each) => element("td", {}, each))));
  return element("div", { className: "wide" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function limits(schema) {
  const named = { minimum: "at least #", maximum: "at most #", maxLength: "at most # characters", maxItems: "at most # values" };
  const told = Object.entries(named).filter(([key]) => schema?.[key] !== undefined);
  const parts = told.map(([key, words]) => words.replace("#", schema[key].toLocaleString("en")));
  if (schema?.default !== undefined && schema.default !== null) parts.unshift(`default ${JSON.stringify(schema.default)}`);
  return parts.join("; ");
}

function operation(path, method, described, whole) {
  const heading = element("h2", {}, element("code", {}, `${method.toUpperCase()} ${path}`));
  const made = element("section", {}, heading, element("p", {}, described.summary ?? ""));
  if (method === "post") made.append(element("p", { className: "note" }, `Body: ${described.requestBody?.description ?? "the encoded picture, at most 16 MiB."}`));
  const rows = (described.parameters ?? []).map((each) => [
    element("code", {}, each.name),
    typeOf(each.schema, whole),
    [each.required ? "required" : "", (each.description ?? "").replace(/\.$/, ""), limits(each.schema)].filter(Boolean).join("; "),
  ]);
  if (rows.length) made.append(table(["Parameter", "Type", "Meaning"], rows));
  const answers = Object.entries(described.responses ?? {}).map(([status, each]) => [
    element("code", {}, status),
    typeOf(each.content?.["application/json"]?.schema, whole),
    each.description,
  ]);
  made.append(table(["Status", "Answer", ""], answers));
  return made;
}

function shape(name, schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([field, each]) => [element("code", {}, field), typeOf(each)]);
  const told = schema.description ? [element("p", {}, schema.description)] : [];
  return element("section", {}, element("h2", {}, name), ...told, table(["Field", "Type"], rows));
}

const response = await fetch("openapi.json");
if (response.ok) {
  const whole = await response.json();
  const first = ([path]) => (path.split("/")[1] === "api" ? 0 : 1);
  for (const [path, methods] of Object.entries(whole.paths).sort((a, b) => first(a) - first(b))) {
    for (const [method, described] of Object.entries(methods)) main.append(operation(path, method, described, whole));
  }
  const shapes = Object.entries(whole.components?.schemas ?? {}).filter(([name]) => !name.includes("Validation"));
  for (const [name, schema] of shapes) main.append(shape(name, schema));
} else {
  main.append(element("p", { className: "fault" }, "The server does not answer. Is it still running?"));
}
