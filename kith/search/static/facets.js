// What the answer can be narrowed by: values with counts, and the levels of a taxonomy.

import { element } from "./grid.js";

const FIRST = 8; // values that are shown before one asks for all
const opened = new Set(); // facets of which all are shown

const count = (value) => element("span", { className: "count" }, value.count.toLocaleString("en"));

/** How many of the nearest have the value, as a line below it. */
function near(value, most) {
  const bar = element("i", { className: "near" });
  bar.style.width = value.near ? `${Math.max(3, (100 * value.near) / most)}%` : "0";
  return bar;
}

function choice(facet, value, most, does) {
  const box = element("input", { type: "checkbox", checked: value.chosen });
  box.addEventListener("change", () => does.toggle(facet.name, value.value));
  const label = element("label", {}, box, element("span", { className: "name" }, value.title), count(value));
  label.title = told(value, most);
  return element("li", {}, label, near(value, most));
}

function step(facet, value, most, does) {
  const button = element("button", { type: "button" }, element("span", { className: "name" }, value.title), count(value));
  button.title = told(value, most);
  button.addEventListener("click", () => does.choose(facet.name, value.value));
  return element("li", {}, button, near(value, most));
}

function told(value, most) {
  const all = `${value.title}: ${value.count.toLocaleString("en")}`;
  return value.near === null ? all : `${all}, of the nearest ${most}: ${value.near}`;
}

/** The way from the root of a taxonomy to where one is. */
function path(facet, does) {
  const made = element("p", { className: "path" });
  const root = element("button", { type: "button" }, "All");
  root.addEventListener("click", () => does.choose(facet.name, null));
  made.append(root);
  facet.path.forEach((value, place) => {
    made.append(element("span", { ariaHidden: "true" }, "›"));
    if (place === facet.path.length - 1) {
      made.append(element("b", {}, value.title));
      return;
    }
    const button = element("button", { type: "button" }, value.title);
    button.addEventListener("click", () => does.choose(facet.name, value.value));
    made.append(button);
  });
  return made;
}

function section(facet, most, does) {
  const made = element("section", {}, element("h3", {}, facet.title));
  made.ariaLabel = facet.title;
  if (facet.path.length) made.append(path(facet, does));
  const item = facet.kind === "tree" ? step : choice;
  const list = element("ul", {}, ...facet.values.map((value) => item(facet, value, most, does)));
  made.append(list);
  const rest = [...list.children].slice(FIRST);
  const hide = () => rest.forEach((each) => (each.hidden = !opened.has(facet.name)));
  hide();
  if (rest.length > 1) {
    const more = element("button", { type: "button", className: "all" });
    const name = () => {
      const open = opened.has(facet.name);
      more.textContent = open ? "Fewer" : `All ${list.children.length}`;
      more.ariaExpanded = String(open);
    };
    name();
    more.addEventListener("click", () => {
      if (!opened.delete(facet.name)) opened.add(facet.name);
      hide();
      name();
    });
    made.append(more);
  } else {
    rest.forEach((each) => (each.hidden = false));
  }
  if (facet.more && opened.has(facet.name)) made.append(element("p", { className: "count" }, `and ${facet.more} more`));
  return made;
}

/** All facets of an answer. */
export function facets(found, does) {
  const nearest = found.map((facet) => facet.values.reduce((sum, value) => sum + (value.near ?? 0), 0));
  const most = Math.max(1, ...nearest);
  return found.map((facet) => section(facet, most, does));
}
