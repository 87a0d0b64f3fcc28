// All that is known of one item, in a dialog: the picture as it came, all texts, the other columns.

import { element, pictureOf, titleOf } from "./grid.js";

function facts(result) {
  const rows = [["id", result.id], ["category", result.label], ["split", result.split]];
  if (result.similarity !== undefined) rows.push(["similarity", result.similarity.toFixed(3)]);
  const all = [...rows, ...Object.entries(result.columns)].filter(([, value]) => value);
  return element("dl", {}, ...all.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function button(className, label, does) {
  const made = element("button", { type: "button", className }, label);
  made.addEventListener("click", does);
  return made;
}

/** Opens the dialog on one of `results`; the arrows go on to the next one. */
export function detail(dialog, data, does) {
  let results = [];
  let place = 0;

  function show() {
    const result = results[place];
    const act = (what) => () => {
      dialog.close();
      what();
    };
    const texts = [...new Set(result.texts)].slice(1).map((text) => element("li", {}, text));
    const made = element("div", { className: "about" });
    if (result.picture) made.append(element("div", { className: "frame" }, pictureOf(result, data, true)));
    const words = element("div", { className: "words" }, element("h2", { id: "detail-title" }, titleOf(result)));
    if (texts.length) words.append(element("ul", {}, ...texts));
    words.append(facts(result));
    const actions = element("div", { className: "do" });
    actions.append(button("primary", "Find similar", act(() => does.search(result))));
    if (does.isAsked()) {
      actions.append(button("", "+ More like this", act(() => does.add("plus", result))));
      actions.append(button("", "− Less like this", act(() => does.add("minus", result))));
    }
    words.append(actions);
    made.append(words);
    const close = button("close", "×", () => dialog.close());
    close.ariaLabel = "Close";
    dialog.replaceChildren(close, made);
  }

  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !results[place + step]) return;
    event.preventDefault();
    place += step;
    show();
    dialog.querySelector(".primary").focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  return (all, result) => {
    results = all;
    place = Math.max(0, all.indexOf(result));
    show();
    dialog.showModal();
    dialog.querySelector(".primary").focus();
  };
}
