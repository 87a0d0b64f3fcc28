// Light or dark: as the system says, unless the reader has chosen. Before the page is drawn, so that nothing flashes.

(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("kith-theme");
    } catch {
      return null;
    }
  };
  const apply = () => {
    document.documentElement.dataset.theme = chosen() ?? (dark.matches ? "dark" : "light");
  };
  apply();
  dark.addEventListener("change", apply);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button?.addEventListener("click", () => {
      const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      try {
        // What the system says by itself need not be kept.
        if (next === (dark.matches ? "dark" : "light")) localStorage.removeItem("kith-theme");
        else localStorage.setItem("kith-theme", next);
        apply();
      } catch {
        document.documentElement.dataset.theme = next;
      }
    });
  });
})();
