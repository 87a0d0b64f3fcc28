// The page: what is asked (state.js) goes to every chosen run, and their answers stand side by side.

import { detail } from "./detail.js";
import { drawing } from "./draw.js";
import { facets } from "./facets.js";
import { element, narrowest, proposals, section, titleOf } from "./grid.js";
import { listen as listenToKeys } from "./keys.js";
import { isAsked, read, sidesOf, write } from "./state.js";

const COUNT = 24; // results of a page
const PICTURES = 10; // sent pictures that are kept for Back and Forward

const $ = (id) => document.getElementById(id);
const data = await ask("api/runs");
const known = new Map(); // items by id, as far as the page has seen them
const pictures = new Map(); // {image, title, invert, address}, by number; the latest last
let state;
let total = 0;
let shownResults = [];
let current = new AbortController();

async function ask(address, options) {
  try {
    const response = await fetch(address, options);
    if (response.status === 401) location.assign("login");
    const answer = await response.json();
    return response.ok ? answer : { error: answer.error, suggestion: answer.suggestion };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { error: "The server does not answer. Is it still running?" };
  }
}

const sent = () => pictures.get(history.state?.picture);
const offset = () => (state.page - 1) * COUNT;

/** The answer of one run to what is asked, or a sample of its items where nothing is. */
async function answerOf(run, withFacets, signal) {
  const asked = new URLSearchParams({ run, count: COUNT, offset: offset(), facets: withFacets });
  for (const value of state.where) asked.append("where", value);
  if (!isAsked(state)) return { run, ...(await ask(`api/sample?${asked}`, { signal })) };
  const { asks, sides } = data.runs.find((each) => each.name === run);
  const kind = ["text", "item"].find((each) => state[each]) ?? "image";
  if (!asks.includes(kind)) return { run, error: `This run cannot be searched by ${kind}.` };
  asked.set("side", sides.includes(state.side) ? state.side : sides[0]);
  asked.set("one_per_group", data.groups && state.grouped);
  for (const name of ["plus", "minus"]) for (const term of state[name]) asked.append(name, term);
  if (kind === "image") {
    const picture = sent();
    if (!picture) return { run, error: "The picture of this link was never stored: choose or drop it again." };
    if (picture.invert !== undefined) asked.set("invert", picture.invert);
    return { run, ...(await ask(`api/search?${asked}`, { method: "POST", body: picture.image, signal })) };
  }
  asked.set(kind, state[kind]);
  return { run, ...(await ask(`api/search?${asked}`, { signal })) };
}

async function show() {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  showControls();
  $("results").ariaBusy = "true";
  try {
    const terms = showTerms(signal);
    const answers = await Promise.all(state.runs.map((run, place) => answerOf(run, place === 0, signal)));
    if (signal.aborted) return;
    for (const answer of answers) for (const result of answer.results ?? []) known.set(result.id, result);
    showAnswers(answers);
    await terms;
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

function showAnswers(answers) {
  const does = { search: searchItem, add: addItem, open: (result) => openDetail(shownResults, result), ask: searchText };
  does.filtered = state.where.length > 0;
  does.clear = () => go({ where: [] });
  shownResults = answers.flatMap((answer) => answer.results ?? []);
  total = Math.max(0, ...answers.map((answer) => answer.total ?? 0));
  $("results").replaceChildren(...answers.map((answer) => section(answer, data, does)));
  $("results").classList.toggle("side-by-side", answers.length > 1);
  const failed = answers.every((answer) => answer.error);
  $("status").textContent = told(answers, failed);
  showFacets(answers.find((answer) => answer.facets)?.facets ?? []);
  const pages = Math.min(Math.ceil(total / COUNT), Math.floor(data.max_offset / COUNT) + 1);
  $("pager").hidden = pages < 2 || failed;
  $("previous").disabled = state.page <= 1;
  $("next").disabled = state.page >= pages;
  $("where").textContent = `Page ${state.page} of ${pages.toLocaleString("en")}`;
  $("share").hidden = failed || !navigator.clipboard || (!isAsked(state) && !state.where.length) || state.picture;
  $("examples").hidden = isAsked(state) || !data.examples.length || !asksFor("text");
  $("results").ariaBusy = "false";
}

function told(answers, failed) {
  if (!answers.length) return "Choose a run.";
  if (failed) return "Nothing was found.";
  const count = total.toLocaleString("en");
  if (!total) return "Nothing was found.";
  if (!isAsked(state)) return state.where.length ? `${count} items pass the filters` : `${count} items. Choose one to see what is near it.`;
  const kind = state.side === "text" ? "text" : kindOf(answers.flatMap((answer) => answer.results ?? []));
  const most = Math.max(...answers.map((answer) => answer.results?.length ?? 0));
  const [first, last] = [offset() + 1, offset() + most].map((each) => each.toLocaleString("en"));
  return `${first === last ? first : `${first}–${last}`} of ${count}, the nearest ${kind}s first`;
}

/** What results are that are no texts beside pictures: data may have texts alone, or features. */
function kindOf(results) {
  if (results.some((result) => result.thumbnail)) return "picture";
  return results.some((result) => result.texts.length) ? "text" : "item";
}

function showFacets(found) {
  const open = $("narrow").ariaExpanded === "true";
  $("side").hidden = !found.length;
  $("side").classList.toggle("open", open);
  $("narrow").hidden = !found.length;
  $("facets").replaceChildren(...facets(found, { toggle: toggleFilter, choose: chooseFilter }));
  const titles = new Map(found.map((facet) => [facet.name, facet.title]));
  $("filters").replaceChildren(
    ...state.where.map((each) => {
      const [name, value] = split(each);
      const title = `${titles.get(name) ?? name}: ${narrowest(valueTitle(found, name, value))}`;
      return chip([title], `Remove the filter ${title}`, () => go({ where: state.where.filter((other) => other !== each) }));
    }),
  );
}

function valueTitle(found, name, value) {
  const facet = found.find((each) => each.name === name);
  return [...(facet?.path ?? []), ...(facet?.values ?? [])].find((each) => each.value === value)?.title ?? value;
}

const split = (filter) => [filter.slice(0, filter.indexOf(":")), filter.slice(filter.indexOf(":") + 1)];

function chip(content, label, remove) {
  const button = element("button", { type: "button", className: "remove", ariaLabel: label, title: label }, "×");
  button.addEventListener("click", remove);
  return element("li", { className: "chip" }, ...content, button);
}

/** What is asked, as far as the search field does not say it: an item or a picture, and what is added and subtracted. */
async function showTerms(signal) {
  $("asked").hidden = !isAsked(state);
  if (!isAsked(state)) return;
  const main = state.text ? [] : [state.item ? await itemTerm(state.item, "", signal) : pictureTerm()];
  const named = ["plus", "minus"].flatMap((name) => state[name].map((term) => [name, term]));
  const others = await Promise.all(named.map(([name, term]) => changeTerm(name, term, signal)));
  if (signal.aborted) return;
  $("terms").replaceChildren(...main, ...others);
  $("terms").hidden = !main.length && !others.length;
  $("refine").hidden = !asksFor("text");
  $("asked").hidden = $("terms").hidden && $("refine").hidden;
}

async function changeTerm(name, term, signal) {
  const [kind, value] = split(term);
  const remove = () => go({ [name]: state[name].filter((each) => each !== term) });
  if (kind === "item") return itemTerm(value, name, signal, remove);
  const made = chip([sign(name), value], `Remove ${value}`, remove);
  made.classList.add(name);
  return made;
}

const sign = (name) => element("b", {}, { plus: "+ ", minus: "− " }[name] ?? "");

async function itemTerm(id, name, signal, remove = () => go({ item: undefined, plus: [], minus: [] })) {
  if (!known.has(id)) {
    const found = await ask(`api/item?${new URLSearchParams({ id })}`, { signal });
    known.set(id, found.error ? { id, texts: [], label: "", thumbnail: null } : found);
  }
  const item = known.get(id);
  const picture = item.thumbnail ? [element("img", { src: item.thumbnail, alt: "" })] : [];
  if (data.light_on_dark) picture.forEach((each) => each.classList.add("light-on-dark"));
  const words = element("p", { title: item.texts.join("\n") }, titleOf(item));
  const made = chip([sign(name), ...picture, words], `Remove ${titleOf(item)}`, remove);
  if (name) made.classList.add(name);
  return made;
}

function pictureTerm() {
  const { address, title } = sent() ?? { title: "a picture" };
  const picture = address ? [element("img", { src: address, alt: "" })] : [];
  return chip([...picture, element("p", {}, title)], "Remove the picture", () => go({ picture: false, plus: [], minus: [] }));
}

function showControls() {
  if (document.activeElement !== $("text") || state.text) $("text").value = state.text ?? "";
  for (const box of document.querySelectorAll("#runs input")) box.checked = state.runs.includes(box.value);
  const sides = sidesOf(data);
  const side = sides.includes(state.side) ? state.side : sides[0];
  for (const radio of document.querySelectorAll("#sides input")) radio.checked = radio.value === side;
  $("one_per_group").checked = state.grouped;
}

const asksFor = (kind) => data.runs.some((run) => run.asks.includes(kind));

/** Change what is asked, and let Back return to the question before. Any change but of the page begins at page 1. */
function go(change, picture = history.state?.picture) {
  state = { ...state, page: 1, ...change };
  history.pushState(state.picture ? { picture } : null, "", write(state, data));
  show();
}

function searchText(text) {
  go({ text, item: undefined, picture: false, plus: [], minus: [] });
}

function searchItem(result) {
  go({ text: undefined, item: result.id, picture: false, plus: [], minus: [] });
  scrollTo({ top: 0 });
}

function addItem(name, result) {
  change(name, `item:${result.id}`);
  scrollTo({ top: 0 });
}

/** Add a term or subtract it; it is never both. */
function change(name, term) {
  const other = name === "plus" ? "minus" : "plus";
  const rest = (which) => state[which].filter((each) => each !== term);
  if (rest(name).length + rest(other).length >= 8) $("status").textContent = "At most 8 terms: remove one first.";
  else go({ [name]: [...rest(name), term], [other]: rest(other) });
}

function searchPicture(image, title, invert) {
  if (image.size > data.max_bytes) {
    $("status").textContent = `The picture is larger than the limit of ${data.max_bytes >> 20} MiB.`;
    return;
  }
  const number = Math.max(0, ...pictures.keys()) + 1;
  pictures.set(number, { image, title, invert, address: URL.createObjectURL(image) });
  for (const old of [...pictures.keys()].slice(0, -PICTURES)) {
    URL.revokeObjectURL(pictures.get(old).address);
    pictures.delete(old);
  }
  go({ text: undefined, item: undefined, picture: true, plus: [], minus: [] }, number);
}

function toggleFilter(name, value) {
  const filter = `${name}:${value}`;
  const others = state.where.filter((each) => each !== filter);
  go({ where: others.length < state.where.length ? others : [...others, filter] });
}

function chooseFilter(name, value) {
  const others = state.where.filter((each) => split(each)[0] !== name);
  go({ where: value === null ? others : [...others, `${name}:${value}`] });
}

function turn(step) {
  const button = step > 0 ? $("next") : $("previous");
  if (button.disabled || $("pager").hidden) return;
  go({ page: state.page + step });
  scrollTo({ top: 0 });
}

function option(run) {
  return element("label", {}, element("input", { type: "checkbox", value: run.name }), run.name);
}

function setUp() {
  const widest = data.runs.reduce((most, run) => (run.items > most.items ? run : most));
  $("dataset").textContent = `${data.dataset}, ${widest.among}`;
  $("licence").textContent = `Licence of the data: ${data.licence}`;
  document.title = `Kith: ${data.dataset}`;
  $("runs").append(...data.runs.map(option));
  $("runs").hidden = data.runs.length < 2;
  $("sides").hidden = sidesOf(data).length < 2;
  $("groups").hidden = !data.groups;
  for (const id of ["text", "find"]) $(id).hidden = !asksFor("text");
  $("upload").hidden = !asksFor("image");
  $("pen").hidden = !(asksFor("image") && data.grey);
  document.querySelector(".ask").hidden = !asksFor("text") && !asksFor("image");
  document.querySelector(".options").hidden = [...document.querySelectorAll(".options > *")].every((each) => each.hidden);
  $("links").append(...data.links.map(({ path, title }) => element("a", { href: path }, title)));
  $("examples").replaceChildren(...proposals("Try", data.examples, searchText).childNodes);
}

function listen() {
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (text) searchText(text);
    else $("status").textContent = "Type a few words first.";
  });
  const refine = (name) => {
    const words = $("but").value.trim();
    $("but").value = "";
    if (words) change(name, `text:${words}`);
  };
  $("refine").addEventListener("submit", (event) => {
    event.preventDefault();
    refine("plus");
  });
  $("without").addEventListener("click", () => refine("minus"));
  $("but").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.shiftKey) return;
    event.preventDefault();
    refine("minus");
  });
  document.querySelector(".options").addEventListener("change", () => {
    const runs = [...document.querySelectorAll("#runs input:checked")].map((box) => box.value);
    const side = document.querySelector("#sides input:checked")?.value;
    go({ runs, side, grouped: $("one_per_group").checked });
  });
  $("home").addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ ...read("", data) });
  });
  $("previous").addEventListener("click", () => turn(-1));
  $("next").addEventListener("click", () => turn(1));
  $("narrow").addEventListener("click", () => {
    const open = $("narrow").ariaExpanded !== "true";
    $("narrow").ariaExpanded = String(open);
    $("side").classList.toggle("open", open);
  });
  $("share").addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href);
    $("share").textContent = "Copied";
    setTimeout(() => ($("share").textContent = "Copy link"), 1500);
  });
  $("help").addEventListener("click", () => $("keys").showModal());
  addEventListener("popstate", () => {
    state = read(location.search, data);
    show();
  });
  listenToPictures();
  listenToKeys({
    focus: () => ($("text").hidden ? document.querySelector(".tile") : $("text"))?.focus(),
    help: () => $("keys").showModal(),
    escape: () => !$("drawing").hidden && $("pen").click(),
    page: turn,
  });
}

function listenToPictures() {
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    if (file) searchPicture(file, file.name);
    $("file").value = "";
  });
  const clear = drawing($("canvas"), (image) => searchPicture(image, "Your drawing", data.light_on_dark));
  $("clear").addEventListener("click", clear);
  $("pen").addEventListener("click", () => {
    const open = $("drawing").hidden;
    $("drawing").hidden = !open;
    $("pen").ariaExpanded = String(open);
  });
  if (!$("upload").hidden) listenForDrops();
}

function listenForDrops() {
  const holdsFile = (event) => [...event.dataTransfer.types].includes("Files");
  addEventListener("dragover", (event) => {
    if (!holdsFile(event)) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (!holdsFile(event)) return;
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) searchPicture(file, file.name);
  });
}

const openDetail = detail($("detail"), data, { search: searchItem, add: addItem, isAsked: () => isAsked(state) });

if (data.error) {
  $("status").textContent = data.error;
} else {
  state = read(location.search, data);
  setUp();
  listen();
  show();
}
