// The page by keyboard: / searches, arrows move among the results, and single letters do what their buttons do.

const typing = (target) => target.matches?.("input:not([type=checkbox], [type=radio], [type=file]), textarea, select");

/** The tile that lies in a direction, by where tiles are on the screen. */
function beside(tile, key) {
  const from = tile.getBoundingClientRect();
  const [x, y] = [from.left + from.width / 2, from.top + from.height / 2];
  let best = null;
  let least = Infinity;
  for (const other of document.querySelectorAll(".tile")) {
    if (other === tile) continue;
    const box = other.getBoundingClientRect();
    const [across, down] = [box.left + box.width / 2 - x, box.top + box.height / 2 - y];
    const ahead = { ArrowRight: across, ArrowLeft: -across, ArrowDown: down, ArrowUp: -down }[key];
    const aside = Math.abs(key === "ArrowRight" || key === "ArrowLeft" ? down : across);
    if (ahead > 8 && ahead + 4 * aside < least) [best, least] = [other, ahead + 4 * aside];
  }
  return best;
}

export function listen(does) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const { key, target } = event;
    if (typing(target)) {
      if (key === "Escape") target.blur();
      if (key === "ArrowDown" && target.id === "text") {
        event.preventDefault();
        document.querySelector(".tile")?.focus();
      }
      return;
    }
    const tile = target.closest?.(".tile");
    const press = (name) => tile?.closest("li").querySelector(`.${name}`)?.click();
    const actions = {
      "/": () => does.focus(),
      "?": () => does.help(),
      Escape: () => does.escape(),
      n: () => does.page(1),
      p: () => does.page(-1),
      "+": () => press("plus"),
      "-": () => press("minus"),
      i: () => press("about"),
    };
    if (tile && key.startsWith("Arrow")) {
      event.preventDefault();
      const next = beside(tile, key);
      if (next) next.focus();
      else if (key === "ArrowUp") does.focus();
    } else if (Object.hasOwn(actions, key)) {
      event.preventDefault();
      actions[key]();
    }
  });
}
