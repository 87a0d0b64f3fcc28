// The page: a question (text, picture or item) goes to every chosen run, and their answers stand side by side.

import { drawing } from "./draw.js";
import { element, section } from "./grid.js";

const $ = (id) => document.getElementById(id);
const data = await ask("/api/runs");
let query = null; // {text}, {item, title, picture} or {image, invert, title}
let current = new AbortController();

async function ask(address, options) {
  try {
    const response = await fetch(address, options);
    const answer = await response.json();
    return response.ok ? answer : { error: answer.error };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { error: "The server does not answer. Is it still running?" };
  }
}

const chosenRuns = () => [...document.querySelectorAll("#runs input:checked")].map((box) => box.value);
const chosenSide = () => document.querySelector("#sides input:checked").value;

/** The answer of one run to the query, or a sample of its items while there is none. */
async function answerOf(run, signal) {
  const name = new URLSearchParams({ run });
  if (!query) return { run, ...(await ask(`/api/sample?${name}`, { signal })) };
  const { asks, sides } = data.runs.find((each) => each.name === run);
  const kind = ["text", "image", "item"].find((each) => query[each] !== undefined);
  if (!asks.includes(kind)) return { run, error: `This run cannot be searched by ${kind}.` };
  name.set("side", sides.includes(chosenSide()) ? chosenSide() : sides[0]);
  name.set("one_per_group", data.groups && $("one_per_group").checked);
  if (kind === "image") {
    if (query.invert !== undefined) name.set("invert", query.invert);
    return { run, ...(await ask(`/api/search?${name}`, { method: "POST", body: query.image, signal })) };
  }
  name.set(kind, query[kind]);
  return { run, ...(await ask(`/api/search?${name}`, { signal })) };
}

async function show() {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const runs = chosenRuns();
  showAsked();
  $("results").ariaBusy = "true";
  try {
    const answers = await Promise.all(runs.map((run) => answerOf(run, signal)));
    if (signal.aborted) return;
    $("results").replaceChildren(...answers.map((answer) => section(answer, data, searchItem)));
    $("results").classList.toggle("side-by-side", answers.length > 1);
    $("status").textContent = told(answers);
    $("results").ariaBusy = "false";
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

function told(answers) {
  if (!answers.length) return "Choose a run.";
  if (answers.every((answer) => answer.error)) return "Nothing was found.";
  if (!query) return "A few of the items. Choose one to see what is near it.";
  const most = Math.max(...answers.map((answer) => answer.results?.length ?? 0));
  const kind = chosenSide() === "text" ? "text" : "picture";
  if (!most) return `No other item has a ${kind}.`;
  return most === 1 ? `The item with the nearest ${kind}` : `The ${most} items with the nearest ${kind}s`;
}

function showAsked() {
  $("text").value = query?.text ?? "";
  $("asked").hidden = !query || query.text !== undefined;
  if ($("asked").hidden) return;
  $("asked").classList.toggle("light-on-dark", Boolean(data.light_on_dark && query.picture));
  const address = query.address ?? query.picture;
  const picture = address ? [element("img", { src: address, alt: "" })] : [];
  $("asked").replaceChildren(...picture, element("p", {}, query.title));
}

/** Search, and let the browser's Back return to the question before. Pictures are kept while the page is open. */
function search(next) {
  if (query?.address) URL.revokeObjectURL(query.address);
  query = next;
  const address = new URLSearchParams();
  for (const kind of ["text", "item"]) if (next[kind] !== undefined) address.set(kind, next[kind]);
  const { image, address: shown, ...rest } = next;
  if (!image) history.pushState(rest, "", `?${address}`);
  show();
}

function searchItem(result, title) {
  search({ item: result.id, title, picture: result.picture });
  scrollTo({ top: 0 });
}

function searchPicture(image, title, invert) {
  if (image.size > data.max_bytes) {
    $("status").textContent = `The picture is larger than the limit of ${data.max_bytes >> 20} MiB.`;
    return;
  }
  search({ image, invert, title, address: URL.createObjectURL(image) });
}

function fromAddress() {
  const given = new URLSearchParams(location.search);
  if (given.get("text")) return { text: given.get("text") };
  if (given.get("item")) return { item: given.get("item"), title: given.get("item") };
  return null;
}

function option(run, checked) {
  const box = element("input", { type: "checkbox", value: run.name, checked });
  return element("label", {}, box, run.name);
}

function setUp() {
  const asks = new Set(data.runs.flatMap((run) => run.asks));
  const sides = new Set(data.runs.flatMap((run) => run.sides));
  const widest = data.runs.reduce((most, run) => (run.items > most.items ? run : most));
  $("dataset").textContent = `${data.dataset}, ${widest.among}`;
  $("licence").textContent = `Licence of the data: ${data.licence}`;
  document.title = `Kith: ${data.dataset}`;
  $("runs").append(...data.runs.map((run, place) => option(run, place === 0)));
  $("runs").hidden = data.runs.length < 2;
  $("sides").hidden = sides.size < 2;
  if (sides.size < 2) document.querySelector(`#sides input[value=${[...sides][0]}]`).checked = true;
  $("groups").hidden = !data.groups;
  for (const id of ["text", "find"]) $(id).hidden = !asks.has("text");
  $("upload").hidden = !asks.has("image");
  $("pen").hidden = !(asks.has("image") && data.grey);
  document.querySelector(".ask").hidden = asks.size < 2;
}

function listen() {
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (text) search({ text });
    else $("status").textContent = "Type a few words first.";
  });
  document.querySelector(".options").addEventListener("change", show);
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
  addEventListener("popstate", (event) => {
    query = event.state ?? fromAddress();
    show();
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

if (data.error) {
  $("status").textContent = data.error;
} else {
  setUp();
  listen();
  query = history.state ?? fromAddress();
  show();
}
