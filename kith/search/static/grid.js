// Results as a grid of buttons. Whatever comes from data or user is set as text, never as markup.

export function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

const LONG = 160; // characters that a tile shows about, in its four lines
const SMALL = 48; // pictures up to this many pixels wide keep their pixels, larger ones are scaled smoothly

function similarity(value) {
  const bar = element("i");
  bar.style.width = `${100 * Math.min(1, Math.max(0, value))}%`;
  const number = element("b", { title: "similarity" }, value.toFixed(3));
  return element("span", { className: "similarity" }, element("span", {}, bar), number);
}

function tile(result, data, search) {
  const title = result.texts[0] || result.label || result.id;
  const button = element("button", { type: "button", className: "tile", title: result.id });
  if (data.light_on_dark) button.classList.add("light-on-dark");
  if (result.picture) {
    const picture = element("img", { src: result.picture, alt: "", loading: "lazy" });
    picture.addEventListener("load", () => button.classList.toggle("small", picture.naturalWidth <= SMALL));
    button.append(picture);
  }
  if (result.similarity !== undefined) button.append(similarity(result.similarity));
  const text = element("span", { className: "text", title: result.texts.join("\n") }, title);
  button.append(text);
  if (result.label && result.label !== title) button.append(element("span", { className: "label" }, result.label));
  button.addEventListener("click", () => search(result, title));
  const all = result.texts.join("\n");
  return element("li", {}, button, ...(all.length > LONG ? [unfolding(text, title, all)] : []));
}

/** A button that shows all texts of an item in full, and folds them again. */
function unfolding(text, folded, all) {
  const button = element("button", { type: "button", className: "more", ariaExpanded: "false" }, "Read all");
  button.addEventListener("click", () => {
    const open = text.classList.toggle("whole");
    text.textContent = open ? all : folded;
    button.textContent = open ? "Less" : "Read all";
    button.ariaExpanded = String(open);
  });
  return button;
}

/** One run's answer: a heading, what is to be said of it, and its grid. `search(result, title)` follows a click. */
export function section(answer, data, search) {
  const made = element("section", {}, element("h2", {}, answer.run));
  made.ariaLabel = answer.run;
  if (answer.error) {
    made.append(element("p", { className: "fault" }, answer.error));
    return made;
  }
  if (answer.unknown_words?.length) {
    const words = answer.unknown_words.map((word) => `“${word}”`).join(", ");
    made.append(element("p", { className: "note" }, `Words that this model never saw: ${words}`));
  }
  if (answer.cut) {
    const [read, every] = answer.cut.map((count) => count.toLocaleString("en"));
    made.append(element("p", { className: "note" }, `This model read the first ${read} of ${every} words.`));
  }
  made.append(element("ol", {}, ...answer.results.map((result) => tile(result, data, search))));
  return made;
}
