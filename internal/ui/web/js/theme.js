// Light or dark: as the system says, until somebody chooses. A classic script,
// so that the page is never shown in the wrong colours first.
(() => {
  const key = "tcplab-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem(key); } catch { return null; } }; // forbidden, perhaps
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const chosen = stored();
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    button.addEventListener("click", () => {
      const theme = isDark() ? "light" : "dark";
      document.documentElement.dataset.theme = theme;
      try { localStorage.setItem(key, theme); } catch { /* for this visit only, then */ }
      show();
    });
    system.addEventListener("change", show);
    show();
  });
})();
