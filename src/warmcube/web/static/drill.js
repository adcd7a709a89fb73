// What is behind a mark: its rows in a dialog, or another dashboard narrowed to it.

import { post } from "./api.js";
import { element, icon } from "./dom.js";
import { count, isDay, moment, NOTHING } from "./format.js";
import { isTemporal, labelText } from "./chart-model.js";
import { addressOf } from "./view-state.js";

const PAGE = 50;
const FIRST = 500;
const MOST = 10_000;
const NUMERIC = /^(smallint|integer|bigint|numeric|real|double|int|float)/;

/**
 * The fields by which the service finds a mark's rows.
 *
 * @param {object} chart rendered
 * @param {{facet: number, place: number, series: object | null} | null} mark null for the whole chart
 */
function fieldsOf(chart, mark) {
  if (!mark) return {};
  const facet = chart.facets[mark.facet];
  const label = facet.labels[mark.place];
  const { series } = mark;
  const isCompared = series?.kind === "comparison";
  const fields = {};
  const own = isCompared ? facet.series.find((each) => each.id === series.of) : series;
  if (own?.kind === "measure") fields.series = own.id.split("/")[0];
  if (isCompared) fields.period = "compared";
  // Two periods have dates of their own; any other label is the same in both.
  if (chart.column) fields.label = { key: isCompared && series.keys ? series.keys[mark.place] : label.key };
  if (series && series.id.includes("/")) fields.split = { key: series.split };
  if (facet.title !== null && facet.title !== undefined) fields.multiple = { key: facet.key };
  return fields;
}

/** Whether a mark stands for several values that can't be told apart: "other". */
export function isRest(chart, mark) {
  const label = chart.facets[mark.facet].labels[mark.place];
  return label.is_other || Boolean(mark.series?.id.endsWith("/~other"));
}

/**
 * Where a click leads: the address of the chart's target, narrowed to what was clicked on.
 *
 * @param {object} chart rendered
 * @param {object} mark
 * @param {object} filters of the page
 * @param {object} offers of the dashboard
 */
export function targetOf(chart, mark, filters, offers) {
  const label = chart.facets[mark.facet].labels[mark.place];
  const narrowed = { ...filters, where: { ...filters.where } };
  delete narrowed.time_zone;
  if (chart.column === offers.practices?.column && label.key !== null) narrowed.practices = [label.key];
  else if (chart.column === offers.providers?.column && label.key !== null) narrowed.providers = [label.key];
  else if (isTemporal(chart) && isDay(label.key)) Object.assign(narrowed, daysOf(chart, mark));
  else if (chart.column) narrowed.where[chart.column] = [label.key];
  return addressOf(`/dashboards/${encodeURIComponent(chart.drill.dashboard)}`, narrowed);
}

/** From a label's day to the day before the next label's, or to the chart's last. */
function daysOf(chart, mark) {
  const { labels } = chart.facets[mark.facet];
  const start = labels[mark.place].key.slice(0, 10);
  const next = labels[mark.place + 1]?.key;
  const before = next ? new Date(Date.parse(next.slice(0, 10)) - 86_400_000).toISOString().slice(0, 10) : null;
  return { preset: null, start, end: before ?? chart.dates.end ?? start };
}

/** The dialog of rows; one for a page. */
export class RowsDialog {
  constructor() {
    this.title = element("h2", { id: "rows-title" });
    this.about = element("p.muted");
    this.body = element("div.table-scroll.rows-scroll", { tabindex: "0", role: "region", "aria-labelledby": "rows-title" });
    this.status = element("p.muted", { role: "status" });
    this.before = element("button.button.small", { type: "button", onclick: () => this.turn(-1) }, "Previous");
    this.after = element("button.button.small", { type: "button", onclick: () => this.turn(1) }, "Next");
    this.more = element("button.button.small", { type: "button", onclick: () => this.load(MOST) }, `Load up to ${count(MOST)}`);
    const close = element(
      "button.button.quiet.icon.small",
      { type: "button", "aria-label": "Close", title: "Close", onclick: () => this.dialog.close() },
      icon("close", 18),
    );
    this.dialog = element(
      "dialog.rows-dialog",
      { "aria-labelledby": "rows-title" },
      element("div.dialog-head", {}, element("div", {}, this.title, this.about), close),
      this.body,
      element("div.dialog-foot", {}, this.status, this.more, this.before, this.after),
    );
    this.dialog.addEventListener("close", () => this.loading?.abort());
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    document.body.append(this.dialog);
  }

  /**
   * Show the rows behind a mark, or behind a whole chart.
   *
   * @param {string} path of the chart's rows
   * @param {object} chart rendered
   * @param {object | null} mark
   * @param {object} filters of the page
   */
  open(path, chart, mark, filters) {
    this.path = path;
    this.asked = { filters, ...fieldsOf(chart, mark), format: "columns", decimals: "string" };
    this.title.textContent = `Rows behind “${chart.title}”`;
    this.about.textContent = mark ? wordsOf(chart, mark) : "All of the chart";
    this.body.replaceChildren(element("div.skeleton.rows-skeleton"));
    this.dialog.showModal();
    this.load(FIRST);
  }

  async load(limit) {
    this.loading?.abort();
    this.loading = new AbortController();
    this.more.hidden = this.before.hidden = this.after.hidden = true;
    this.status.textContent = "Loading…";
    try {
      const answer = await post(this.path, { ...this.asked, limit }, { signal: this.loading.signal });
      this.answer = answer;
      this.limit = limit;
      this.page = 0;
      this.fill();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.status.textContent = "";
      this.body.replaceChildren(element("div.notice.bad", {}, element("p", {}, error.message)));
    }
  }

  turn(by) {
    this.page += by;
    this.fill();
    this.body.scrollTop = 0;
  }

  fill() {
    const { schema, columns, meta } = this.answer;
    const total = columns[schema[0]?.name]?.length ?? 0;
    const first = this.page * PAGE;
    const last = Math.min(first + PAGE, total);
    if (total === 0) {
      this.body.replaceChildren(element("p.empty", {}, "No rows are behind it."));
      this.status.textContent = "";
      return;
    }
    const heads = schema.map(({ name, type }) =>
      element(NUMERIC.test(type) ? "th.number" : "th", { scope: "col", title: type }, name),
    );
    const body = element("tbody");
    for (let place = first; place < last; place += 1) {
      body.append(element("tr", {}, ...schema.map((column) => cell(columns[column.name][place], column))));
    }
    this.body.replaceChildren(
      element(
        "table.table",
        {},
        element("caption.visually-hidden", {}, this.title.textContent),
        element("thead", {}, element("tr", {}, ...heads)),
        body,
      ),
    );
    const isCut = total === this.limit;
    const asOf = meta.as_of ? `, as of ${moment(meta.as_of)}` : "";
    this.status.textContent = `${count(first + 1)}–${count(last)} of ${isCut ? "the first " : ""}${count(total)} rows${asOf}`;
    this.before.hidden = this.after.hidden = total <= PAGE;
    this.before.disabled = this.page === 0;
    this.after.disabled = last === total;
    this.more.hidden = !isCut || this.limit >= MOST;
  }
}

function cell(value, { type }) {
  if (value === null) return element("td.muted", { title: "NULL" }, NOTHING);
  return element(NUMERIC.test(type) ? "td.number" : "td", {}, String(value));
}

/** A mark in words. */
function wordsOf(chart, mark) {
  const facet = chart.facets[mark.facet];
  const label = facet.labels[mark.place];
  const parts = [facet.title, mark.series?.name, chart.column ? labelText(label, chart) : null];
  return parts.filter(Boolean).join(" · ");
}
