// Light or dark: as the system says, or as somebody chose here. The choice is a cookie, so that the
// server can say it in the page's first byte, and nothing flashes.

const COOKIE = "warmcube-theme";
const YEAR = 365 * 24 * 60 * 60;
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const changes = new EventTarget();

/** "light" or "dark", whichever is shown. */
export function theme() {
  return root.dataset.theme ?? (system.matches ? "dark" : "light");
}

/** Show the other theme; back at the system's, follow the system again. */
export function toggleTheme() {
  const wanted = theme() === "dark" ? "light" : "dark";
  const secure = location.protocol === "https:" ? "; Secure" : "";
  if (wanted === (system.matches ? "dark" : "light")) {
    delete root.dataset.theme;
    document.cookie = `${COOKIE}=; Path=/; SameSite=Lax; Max-Age=0${secure}`;
  } else {
    root.dataset.theme = wanted;
    document.cookie = `${COOKIE}=${wanted}; Path=/; SameSite=Lax; Max-Age=${YEAR}${secure}`;
  }
  changes.dispatchEvent(new Event("change"));
}

/** Have something done whenever another theme is shown. */
export function onThemeChange(listener) {
  changes.addEventListener("change", () => listener(theme()));
}

/**
 * The colour of a token as it is now, for what can't take it from the stylesheet, like charts.
 *
 * @param {string} name of the token, as "--chart-1"
 * @returns {string} as "rgb(47, 91, 215)"
 */
export function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

system.addEventListener("change", () => {
  if (!root.dataset.theme) changes.dispatchEvent(new Event("change"));
});
