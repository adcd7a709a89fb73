// A dashboard in another site's frame. Its token stands behind the # of the address, which the
// browser sends to nobody; it goes out in one header only, to the one route that takes it.
//
// The frame's address may narrow what is shown, as a dashboard's own does (?preset=…&practices=101);
// what is fixed can't be widened by it. Another token behind the # has everything asked for anew.

import { request } from "./api.js";
import { tableOf } from "./chart-table.js";
import { ChartView } from "./charts.js";
import { element } from "./dom.js";
import { count, moment } from "./format.js";
import { filtersOf, timeZone } from "./view-state.js";

const REFRESH = 60_000;
const OVER = new Set([401, 403]);

const main = document.getElementById("main");
const state = document.getElementById("state");
const dashboard = location.pathname.split("/").pop();
const title = element("h1");
const description = element("p.muted");
const head = element("header.embed-head", {}, title, description);
const grid = element("div.embed-grid");
const foot = element("footer.embed-foot.muted");
const shown = new Map(); // cards by the id of their chart
let timer = null;
let asking = null;

/** The token, as the address has it now; nothing else ever holds it. */
function token() {
  return new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
}

/** What the address narrows the dashboard by, beside the page's time zone. */
function filters() {
  return { ...filtersOf(location.search), time_zone: timeZone() };
}

async function load() {
  clearTimeout(timer);
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  main.setAttribute("aria-busy", "true");
  try {
    const response = await request(`/api/embed/${dashboard}/render`, {
      method: "POST",
      body: { filters: filters() },
      headers: { Authorization: `Bearer ${token()}` },
      credentials: "omit",
      staysHere: true,
      signal: mine.signal,
    });
    const rendered = await response.json();
    if (mine === asking) show(rendered);
  } catch (error) {
    if (mine !== asking) return;
    fail(error);
    if (OVER.has(error.status)) return; // nothing mends that but another token
  }
  timer = setTimeout(load, REFRESH);
}

/** Show figures; what was there before gives way without a blank in between. */
function show(rendered) {
  document.title = rendered.title;
  title.textContent = rendered.title;
  description.textContent = rendered.description ?? "";
  const sections = rendered.charts.map((chart) => cardOf(chart).section);
  if (sections.length !== grid.children.length || sections.some((each, place) => each !== grid.children[place])) {
    grid.replaceChildren(...sections);
  }
  if (!grid.isConnected) main.replaceChildren(head, grid, foot);
  rendered.charts.forEach((chart) => fill(cardOf(chart), chart));
  foot.textContent = told(rendered.meta);
  main.setAttribute("aria-busy", "false");
}

function cardOf(chart) {
  if (!shown.has(chart.id)) {
    const host = element("div.embed-chart");
    const heading = element("h2", { id: `chart-${chart.id}` });
    const more = element("div.embed-more");
    const section = element("article.card.embed-card", { "aria-labelledby": heading.id, "data-chart": chart.id }, heading, host, more);
    shown.set(chart.id, { section, heading, host, more, view: new ChartView(host) });
  }
  return shown.get(chart.id);
}

function fill(card, chart) {
  card.section.style.setProperty("--columns", chart.width);
  card.section.style.setProperty("--rows", chart.height);
  card.heading.textContent = chart.title;
  const isOpen = card.more.querySelector("details")?.open ?? false;
  card.more.replaceChildren();
  card.view.update(chart);
  if (card.view.isPlotted) card.more.append(figures(chart, isOpen));
  for (const note of chart.notes) card.more.append(element("p.muted", {}, note));
}

/** The same as a table, made when somebody wants it. */
function figures(chart, isOpen) {
  const details = element("details", {}, element("summary", {}, "Figures"));
  details.addEventListener(
    "toggle",
    () => details.append(element("div.chart-table", { tabindex: "0" }, tableOf(chart))),
    { once: true },
  );
  details.open = isOpen;
  return details;
}

function told(meta) {
  const parts = [meta.as_of ? `As of ${moment(meta.as_of)}` : null, `${count(meta.charts)} charts`];
  const text = parts.filter((part) => part !== null).join(", ");
  return meta.stale ? `${text}. These figures are older than usual.` : text;
}

/** Nothing is shown any more that may not be; what only failed for now leaves what is there. */
function fail(error) {
  main.setAttribute("aria-busy", "false");
  const text = token() ? error.message : "This page shows a dashboard inside another site; there is nothing to see without that.";
  if (OVER.has(error.status) || shown.size === 0) {
    for (const card of shown.values()) card.view.dispose();
    shown.clear();
    grid.replaceChildren();
    state.textContent = text;
    main.replaceChildren(state);
  } else {
    foot.textContent = text;
  }
}

addEventListener("hashchange", load);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else load();
});
load();
