// What works on every page: the theme's toggle, the user's menu, signing out, short messages.

import { request } from "./api.js";
import { onThemeChange, theme, toggleTheme } from "./theme.js";

const toggle = document.getElementById("theme-toggle");

function nameToggle() {
  const other = theme() === "dark" ? "light" : "dark";
  toggle.setAttribute("aria-label", `Switch to the ${other} theme`);
  toggle.title = `Switch to the ${other} theme`;
}

toggle.addEventListener("click", toggleTheme);
onThemeChange(nameToggle);
nameToggle();

for (const button of document.querySelectorAll("[data-sign-out]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await request("/api/session", { method: "DELETE", staysHere: true });
    } catch (error) {
      if (error.status !== 401) {
        button.disabled = false;
        toast(error.message, "bad");
        return;
      }
    }
    location.replace("/sign-in");
  });
}

/**
 * A message at the edge of the page, read out too, gone after a while.
 *
 * @param {string} text plain
 * @param {"" | "good" | "warn" | "bad"} kind
 */
export function toast(text, kind = "") {
  const notice = document.createElement("div");
  notice.className = `notice ${kind}`;
  notice.textContent = text;
  document.getElementById("toasts").append(notice);
  setTimeout(() => notice.remove(), kind === "bad" ? 12000 : 6000);
}
