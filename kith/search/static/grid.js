// Results as a grid of buttons. Whatever comes from data or user is set as text, never as markup.

export function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

const LONG = 160; // characters that a tile shows about, in its four lines
const SMALL = 48; // pictures up to this many pixels wide keep their pixels, larger ones are scaled smoothly

export const titleOf = (result) => result.texts[0] || result.label || result.id;

/** The last level of a category's path. */
export const narrowest = (label) => label.split(" > ").at(-1);

export function pictureOf(result, data, large = false) {
  const picture = element("img", { src: large ? result.picture : result.thumbnail, alt: "", loading: "lazy" });
  if (data.light_on_dark) picture.classList.add("light-on-dark");
  picture.addEventListener("load", () => picture.classList.toggle("small", picture.naturalWidth <= SMALL));
  return picture;
}

function similarity(value) {
  const bar = element("i");
  bar.style.width = `${100 * Math.min(1, Math.max(0, value))}%`;
  const number = element("b", { title: "similarity" }, value.toFixed(3));
  return element("span", { className: "similarity" }, element("span", {}, bar), number);
}

function action(name, sign, label, does) {
  const button = element("button", { type: "button", className: `action ${name}`, title: label, ariaLabel: label }, sign);
  button.addEventListener("click", does);
  return button;
}

function tile(result, data, does) {
  const title = titleOf(result);
  const button = element("button", { type: "button", className: "tile", title: result.id });
  if (result.thumbnail) button.append(pictureOf(result, data));
  if (result.similarity !== undefined) button.append(similarity(result.similarity));
  const text = element("span", { className: "text", title: result.texts.join("\n") }, title);
  button.append(text);
  if (result.label && result.label !== title) {
    button.append(element("span", { className: "label", title: result.label }, narrowest(result.label)));
  }
  button.addEventListener("click", () => does.search(result));
  const actions = element("div", { className: "actions" });
  if (result.similarity !== undefined) {
    actions.append(
      action("plus", "+", `More like this: ${title}`, () => does.add("plus", result)),
      action("minus", "−", `Less like this: ${title}`, () => does.add("minus", result)),
    );
  }
  actions.append(action("about", "i", `About: ${title}`, () => does.open(result)));
  const all = result.texts.join("\n");
  return element("li", {}, button, actions, ...(all.length > LONG ? [unfolding(text, title, all)] : []));
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

/** Buttons that ask something else: texts of the data, or what may have been meant. */
export function proposals(words, texts, search) {
  const buttons = texts.map((text) => {
    const button = element("button", { type: "button", className: "proposal" }, text);
    button.addEventListener("click", () => search(text));
    return button;
  });
  return element("p", { className: "proposals" }, element("span", {}, words), ...buttons);
}

function nothing(answer, does) {
  const made = element("div", { className: "nothing" });
  if (does.filtered) {
    const clear = element("button", { type: "button", className: "clear" }, "Clear the filters");
    clear.addEventListener("click", does.clear);
    made.append(element("p", {}, "No item passes all filters."), clear);
  } else {
    made.append(element("p", {}, `No other item has a ${answer.side === "text" ? "text" : "picture"}.`));
  }
  return made;
}

/** Pictures stand in a grid; texts alone in lines of the whole width. */
function listed(results, data, does) {
  const lines = results.every((result) => !result.thumbnail && result.texts.length);
  return element("ol", { className: lines ? "lines" : "" }, ...results.map((result) => tile(result, data, does)));
}

/** One run's answer: a heading, what is to be said of it, and its grid. */
export function section(answer, data, does) {
  const made = element("section", {}, element("h2", {}, answer.run));
  made.ariaLabel = answer.run;
  if (answer.error) made.append(element("p", { className: "fault" }, answer.error));
  if (answer.unknown_words?.length) {
    const words = answer.unknown_words.map((word) => `“${word}”`).join(", ");
    made.append(element("p", { className: "note" }, `Words that this model never saw: ${words}`));
  }
  if (answer.cut) {
    const [read, every] = answer.cut.map((count) => count.toLocaleString("en"));
    made.append(element("p", { className: "note" }, `This model read the first ${read} of ${every} words.`));
  }
  if (answer.suggestion) made.append(proposals("Did you mean", [answer.suggestion], does.ask));
  if (answer.error) {
    if (data.examples.length) made.append(proposals("These have answers:", data.examples, does.ask));
    return made;
  }
  if (!answer.results.length) made.append(nothing(answer, does));
  else made.append(listed(answer.results, data, does));
  return made;
}
