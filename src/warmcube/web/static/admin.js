// The page of those who look after the cache: its tabs, each in a module of its own.

import { pageData } from "./api.js";
import { openCache } from "./admin-cache.js";
import { openEntries } from "./admin-entries.js";
import { openUsers } from "./admin-users.js";

const data = pageData();
const OPENERS = { cache: openCache, entries: openEntries, users: openUsers };
const tabs = [...document.querySelectorAll('[role="tab"]')];
const opened = new Map();

/** Show a tab's panel, and fill it the first time. */
function show(name, isMoved = false) {
  for (const tab of tabs) {
    const isIt = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(isIt));
    tab.tabIndex = isIt ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !isIt;
    if (isIt && isMoved) tab.focus();
  }
  if (!opened.has(name)) opened.set(name, OPENERS[name](data));
  opened.get(name)?.shown?.();
}

function named(hash) {
  const name = hash.slice(1);
  return tabs.some((tab) => tab.id === `tab-${name}`) ? name : tabs[0].id.slice(4);
}

for (const [place, tab] of tabs.entries()) {
  tab.addEventListener("click", () => {
    history.replaceState(null, "", `#${tab.id.slice(4)}`);
    show(tab.id.slice(4));
  });
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next =
      event.key === "Home" ? 0 : event.key === "End" ? tabs.length - 1 : step && place + step;
    if (next === undefined) return;
    event.preventDefault();
    const wanted = tabs[(next + tabs.length) % tabs.length].id.slice(4);
    history.replaceState(null, "", `#${wanted}`);
    show(wanted, true);
  });
}
addEventListener("hashchange", () => show(named(location.hash)));
show(named(location.hash));
