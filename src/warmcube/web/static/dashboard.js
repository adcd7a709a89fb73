// The page of a dashboard: its charts, the filters in its address, and news when there is some.

import { json, pageData, post, sentence } from "./api.js";
import { ChartCard, originText, took } from "./chart-card.js";
import { isEmpty } from "./chart-model.js";
import { RowsDialog, isRest, targetOf } from "./drill.js";
import { element, icon } from "./dom.js";
import { FilterBar } from "./filter-bar.js";
import { count, moment, rangeText } from "./format.js";
import { toast } from "./shell.js";
import { addressOf, filtersOf, timeZone } from "./view-state.js";

const POLL_MS = 15_000;
const BUSY_MS = 180;
const ZONE_COOKIE = "warmcube-zone";
const YEAR = 365 * 24 * 60 * 60;

const byId = (id) => document.getElementById(id);
const data = pageData();
const { dashboard } = data;
const base = `/api/admin/analytics/dashboard/${encodeURIComponent(dashboard.id)}`;
const here = `/dashboards/${encodeURIComponent(dashboard.id)}`;
const main = byId("main");
const cards = new Map();

let rendered = pageData("first-figures");
/** What the page asks for: as the address says, or as the service has understood it. */
let filters = rendered ? kept(rendered.filters) : filtersOf(location.search);
let asking = null;
let dialog = null;
let bar = null;

/** Filters without what holds anyway. */
function kept(told) {
  const found = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== null));
  delete found.time_zone;
  return { ...found, where: { ...(told.where ?? {}) } };
}

function asked() {
  return { ...filters, time_zone: timeZone() };
}

start();

function start() {
  for (const card of document.querySelectorAll(".chart-card")) {
    card.style.setProperty("--width", card.dataset.width);
    card.style.setProperty("--height", card.dataset.height);
    cards.set(
      card.dataset.chart,
      new ChartCard(card, { mayExport: data.may_export, onPick, onRows, path, filters: asked }),
    );
  }
  if (dashboard.offers) bar = new FilterBar(byId("filter-bar"), dashboard, onFilter);
  addEventListener("popstate", () => {
    filters = filtersOf(location.search);
    refresh("back");
  });
  if (rendered) show("first");
  else fail(data.trouble);
  if (rendered && data.trouble) notice(`The link’s filters can’t be used: ${data.trouble.detail}. Without them, this is the dashboard`, "warn");
  rememberZone();
  watch();
}

/** Presets are of the viewer's days: what the server didn't know at first, it is told now. */
function rememberZone() {
  const zone = timeZone();
  if (!zone) return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${ZONE_COOKIE}=${encodeURIComponent(zone)}; Path=/; SameSite=Lax; Max-Age=${YEAR}${secure}`;
  const known = rendered?.filters.time_zone ?? dashboard.offers?.time_zone;
  const isRelative = rendered?.dates.preset || rendered?.charts.some((chart) => chart.dates?.preset);
  if (rendered && isRelative && known !== zone) refresh("zone");
}

function path(chart, what) {
  return `${base}/charts/${encodeURIComponent(chart)}/${what}`;
}

function onPick(chart, mark) {
  if (isRest(chart, mark)) {
    toast("That is what is left of several; the table of rows can’t tell them apart here.");
  } else if (chart.drill?.dashboard) {
    location.assign(targetOf(chart, mark, filters, dashboard.offers));
  } else {
    rows().open(path(chart.id, "rows"), chart, mark, asked());
  }
}

function onRows(chart) {
  rows().open(path(chart.id, "rows"), chart, null, asked());
}

function rows() {
  dialog ??= new RowsDialog();
  return dialog;
}

/** @param {object | null} change null for the dashboard's own filters */
function onFilter(change) {
  const before = addressOf(here, filters);
  if (change === null) {
    filters = { where: {} };
  } else {
    const where = { ...filters.where, ...(change.where ?? {}) };
    const merged = { ...filters, ...change, where: defined(where) };
    filters = { ...defined(merged), where: merged.where };
  }
  const address = addressOf(here, filters);
  if (address !== before) history.pushState(null, "", address);
  refresh("filter");
}

function defined(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/**
 * Ask for the figures anew; an earlier request that is still on its way doesn't count any more.
 *
 * @param {string} why for the measurements
 */
async function refresh(why) {
  asking?.abort();
  const own = new AbortController();
  asking = own;
  performance.mark("warmcube:asked");
  const busy = setTimeout(() => {
    main.dataset.state = "loading";
  }, BUSY_MS);
  main.setAttribute("aria-busy", "true");
  try {
    rendered = await post(`${base}/render`, { filters: asked() }, { signal: own.signal });
    byId("notices").replaceChildren();
    show(why);
  } catch (error) {
    if (error.name !== "AbortError") fail(error.problem ?? { detail: error.message });
  } finally {
    clearTimeout(busy);
    if (asking === own) {
      asking = null;
      main.removeAttribute("aria-busy");
      if (main.dataset.state === "loading") main.dataset.state = "ready";
    }
  }
}

function show(why) {
  filters = kept(rendered.filters);
  const inSight = rendered.charts.filter((chart) => cards.get(chart.id)?.isInSight());
  for (const chart of inSight) cards.get(chart.id).update(chart);
  bar?.set(rendered);
  bar?.name().then(showPrinted);
  showDropped();
  showNothing();
  showFreshness();
  showFoot();
  main.dataset.state = "ready";
  performance.mark(`warmcube:${why}`);
  drawRest(rendered, new Set(inSight), why);
}

/** After what is in sight is on the screen: the other charts, a few at a time. */
function drawRest(of, done, why) {
  requestAnimationFrame(() =>
    setTimeout(async () => {
      performance.mark(`warmcube:painted:${why}`);
      for (const chart of of.charts) {
        if (rendered !== of) return;
        if (done.has(chart)) continue;
        cards.get(chart.id)?.update(chart);
        await new Promise((resolve) => setTimeout(resolve));
      }
      for (const card of cards.values()) card.fill();
      main.dataset.shown = String(Number(main.dataset.shown ?? 0) + 1);
      performance.mark(`warmcube:complete:${why}`);
    }),
  );
}

/** What a link named that its viewer may not see: in the link's words. */
function showDropped() {
  const names = { organization: "Organization", practices: "Practice", providers: "Provider" };
  for (const [filter, all] of grouped(rendered.dropped)) {
    const shown = all.slice(0, 10).map((each) => String(each.value));
    const rest = all.length > 10 ? ` and ${all.length - 10} more` : "";
    const [name, without] = all.length > 1 ? [`${names[filter] ?? filter}s`, "them"] : [names[filter] ?? filter, "it"];
    notice(`${name} ${shown.join(", ")}${rest}: not yours to see, and left out; this is without ${without}`, "warn");
  }
}

/** Where no chart has a figure: say so once, and what could be done about it. */
function showNothing() {
  if (!rendered.charts.every((chart) => !chart.error && isEmpty(chart))) return;
  const isNarrowed = addressOf(here, filters) !== here;
  notice(isNarrowed ? "Nothing that you may see is in this selection: widen it, or reset it" : "There is nothing here that you may see", "info");
}

function grouped(all) {
  const found = new Map();
  for (const each of all) found.set(each.filter, [...(found.get(each.filter) ?? []), each]);
  return found;
}

function notice(text, kind, ...more) {
  byId("notices").append(
    element(`div.notice.${kind}`, {}, icon(kind === "bad" || kind === "warn" ? "warning" : "info", 18), element("p", {}, sentence(text)), ...more),
  );
}

/** Without figures, those of before stay if there are some, and one can try again. */
function fail(problem) {
  const again = element("button.button.small", { type: "button", onclick: () => refresh("again") }, "Try again");
  byId("notices").replaceChildren();
  notice(problem.detail ?? problem.title ?? "The figures can’t be had just now", "bad", again);
  main.dataset.state = rendered ? "ready" : "error";
  for (const { card, chart } of cards.values()) {
    card.classList.toggle("is-stale", chart !== null);
    if (chart === null) card.dataset.state = "error";
  }
}

function showFreshness() {
  const { meta } = rendered;
  const badges = [];
  if (meta.stale) {
    badges.push(element("span.badge.warn", { title: "The next snapshot is late" }, icon("warning", 14), `data of ${moment(meta.as_of)}, older than usual`));
  } else if (meta.origin === "database") {
    badges.push(element("span.badge.accent", { title: "The cache is cold, or switched off" }, "straight from the database"));
  }
  byId("freshness").replaceChildren(...badges);
}

function showFoot() {
  const { meta } = rendered;
  const some = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
  const facts = [originText(meta), some(meta.charts ?? rendered.charts.length, "chart"), some(meta.rows_fetched, "row"), took(meta.ms)];
  byId("page-foot").textContent = facts.join(", ").replace(/^./, (first) => first.toUpperCase());
  byId("page-foot").title = `${some(meta.queries ?? 0, "query", "queries")}; ${count(meta.rows)} rows after grouping`;
}

/** On paper, where there is no filter bar: what the figures are of. */
function showPrinted() {
  const { dates } = rendered;
  byId("printed").textContent = [rangeText(dates.start, dates.end), ...bar.words()].join(" · ");
}

/** Ask now and then whether there is a new snapshot; never while nobody looks. */
function watch() {
  let timer = null;
  const look = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      const { snapshot } = await json(`/api${here}/snapshot`);
      if (rendered && snapshot !== rendered.meta.snapshot && snapshot !== null && !asking) await refresh("news");
    } catch {
      // The next look, or whatever somebody does on the page, will tell.
    }
    clearTimeout(timer);
    timer = setTimeout(look, POLL_MS);
  };
  timer = setTimeout(look, POLL_MS);
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
}
