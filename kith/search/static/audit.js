// The findings of an audit, a page at a time; each mark is sent at once. Texts are set as text, never as markup.
const $ = (id) => document.getElementById(id);
const COUNT = 12;
let shown = null;

function element(name, options = {}, ...children) {
  const made = Object.assign(document.createElement(name), options);
  made.append(...children.filter((child) => child !== null));
  return made;
}

async function ask(address, options) {
  const answer = await fetch(address, options);
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error || answer.statusText);
  return content;
}

function place() {
  const given = new URLSearchParams(location.search);
  return { kind: given.get("kind"), start: Math.max(0, parseInt(given.get("start") || "0", 10) || 0) };
}

async function load() {
  const { kind, start } = place();
  const asked = new URLSearchParams({ start, count: COUNT });
  if (kind) asked.set("kind", kind);
  try {
    shown = await ask(`api/audit?${asked}`);
  } catch (error) {
    $("status").textContent = error.message;
    for (const name of ["findings", "costs"]) $(name).replaceChildren();
    $("pager").hidden = true;
    return;
  }
  draw();
}

function go(kind, start) {
  history.pushState(null, "", `?${new URLSearchParams({ kind, start })}`);
  load();
}

function draw() {
  $("dataset").textContent = `of ${shown.dataset}`;
  $("kinds").replaceChildren(...shown.kinds.map((each) => element("button", {
    type: "button", textContent: `${each.title} (${number(each.all)})`,
    ariaPressed: String(each.kind === shown.kind), onclick: () => go(each.kind, 0),
  })));
  const kind = shown.kinds.find((each) => each.kind === shown.kind);
  const some = kind && kind.all > kind.found ? ` Listed are ${number(kind.found)} of ${number(kind.all)}.` : "";
  $("means").textContent = kind ? `${kind.means} What to do: ${kind.advice}.${some}` : "Nothing was found.";
  $("costs").replaceChildren(...(shown.costs.length ? [costs()] : []));
  count(shown.marks);
  $("labels").replaceChildren(...shown.labels.map((label) => element("option", { value: label })));
  $("findings").replaceChildren(...shown.findings.map(finding));
  const total = kind ? kind.found : 0, last = shown.start + shown.findings.length;
  $("pager").hidden = total <= COUNT;
  $("place").textContent = `${shown.start + 1} to ${last} of ${total.toLocaleString("en")}`;
  $("previous").disabled = shown.start === 0;
  $("next").disabled = last >= total;
}

const HEADS = ["run", "split", "queries", "affected", "MRR", "without them", "mAP", "without them"];

// What the findings cost: metrics over all queries, and without those that they concern.
function costs() {
  const three = (value) => (value === null ? "–" : value.toFixed(3));
  const rows = shown.costs.map((each) => [
    each.run, each.split, each.direction.replaceAll("_", " "), `${number(each.affected)} of ${number(each.queries)}`,
    three(each.mrr), three(each.mrr_without), three(each.map), three(each.map_without),
  ]);
  const line = (name, cells) => element("tr", {}, ...cells.map((cell) => element(name, { textContent: cell })));
  const table = element("table", {}, element("thead", {}, line("th", HEADS)), element("tbody", {}, ...rows.map((row) => line("td", row))));
  return element("div", { className: "wide" }, element("p", { textContent: "What they cost:" }), table);
}

const number = (value) => value.toLocaleString("en");

function count(marks) {
  const others = shown.moved ? `; ${number(shown.moved)} of other rows than these: mend the file` : "";
  $("status").textContent = `${marks.toLocaleString("en")} ${marks === 1 ? "mark" : "marks"} in ${shown.file}${others}`;
}

function finding(found) {
  const box = element("section", { className: "finding" });
  const told = [`score ${found.score.toFixed(2)}`, found.suggestion && `better: ${found.suggestion}`, found.detail];
  box.append(
    element("div", { className: "sides" }, ...found.sides.map((each) => side(each, found))),
    element("p", { className: "told" },
      found.leak ? element("span", { className: "leak", textContent: "leak " }) : null,
      told.filter(Boolean).join("; ")),
  );
  // Rows that prepare has left out are no items.
  if (found.sides.length) {
    box.append(element("button", { type: "button", textContent: found.sides.length > 1 ? "Keep both" : "Keep",
      onclick: () => send(found.sides.map((each) => [each, "keep", "", ""])) }));
  }
  return box;
}

function side(each, found) {
  const box = element("div", { className: "side" });
  const texts = each.text ? [each.text] : each.texts.slice(0, 2);
  const label = element("input", { placeholder: "right label", value: "", ariaLabel: `Right label of ${each.id}` });
  label.setAttribute("list", "labels");
  if (shown.labels.includes(found.suggestion)) label.value = found.suggestion;
  const button = (mark, name, text = "") => element("button", {
    type: "button", textContent: name, ariaPressed: String(Boolean(each.mark && each.mark.mark === mark && each.mark.text === text)),
    onclick: () => toggle(each, mark, label.value, text),
  });
  box.append(
    each.picture ? picture(each) : "",
    element("p", {}, element("b", { textContent: each.id }), ` ${each.split} ${each.label}`),
    ...texts.map((text) => element("p", { textContent: text })),
    element("div", { className: "marks" }, button("exclude", "Exclude"), each.text ? button("exclude", "Exclude the text", each.text) : null),
  );
  if (shown.labels.length) box.append(element("div", { className: "marks" }, label, button("relabel", "Relabel")));
  box.append(element("p", { className: "told", textContent: said(each.mark) }));
  return box;
}

// Small ones keep their pixels, as on the search page.
function picture(each) {
  const made = element("img", { src: each.picture, alt: `Picture of ${each.id}`, loading: "lazy" });
  made.addEventListener("load", () => made.classList.toggle("small", made.naturalWidth <= 48));
  return made;
}

function said(mark) {
  if (!mark) return "";
  if (mark.mark === "relabel") return `marked: ${mark.label}`;
  return mark.mark === "keep" ? "marked: keep" : `marked: exclude${mark.text ? " this text" : ""}`;
}

function toggle(each, mark, label, text) {
  const same = each.mark && each.mark.mark === mark && each.mark.text === text && (mark !== "relabel" || each.mark.label === label);
  send([[each, same ? "" : mark, mark === "relabel" ? label : "", text]]);
}

// One mark an item: what was marked of it on this page before goes.
async function send(marks) {
  const sent = marks.flatMap(([each, mark, label, text]) => [
    ...(each.mark && each.mark.text !== text ? [{ id: each.id, mark: "", label: "", text: each.mark.text }] : []),
    { id: each.id, mark, label, text },
  ]);
  try {
    const options = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(sent) };
    const { marks: total } = await ask("api/audit/marks", options);
    const now = new Map(marks.map(([each, mark, label, text]) => [each.id, mark ? { id: each.id, mark, label, text } : null]));
    for (const found of shown.findings) for (const each of found.sides) if (now.has(each.id)) each.mark = now.get(each.id);
    draw();
    count(total);
  } catch (error) {
    $("status").textContent = error.message;
  }
}

$("previous").onclick = () => go(shown.kind, Math.max(0, shown.start - COUNT));
$("next").onclick = () => go(shown.kind, shown.start + COUNT);
addEventListener("popstate", load);
load();
