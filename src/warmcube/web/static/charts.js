// One chart on the page: its picture, its figure or its bar, and always its table.

import { commonRange, figureOf, isEmpty } from "./figure.js";
import { brief, labelText, shown, signed } from "./format.js";
import { colour, onThemeChange } from "./theme.js";

const { Plotly } = window;
const CONFIG = { displayModeBar: false, responsive: false, doubleClick: "reset", showTips: false };
const PLOTTED = new Set([
  "line",
  "area",
  "bar",
  "stacked_bar",
  "horizontal_bar",
  "pie",
  "doughnut",
  "dual_axis",
]);
const SHARE = { kind: "percent", decimals: 1 };
const ROWS = 500;

const views = new Set();
onThemeChange(() => views.forEach((view) => view.redraw()));

/** The colours of the theme that is shown. */
function colours() {
  const palette = Array.from({ length: 10 }, (_, n) => colour(`--chart-${n + 1}`));
  return {
    palette,
    other: colour("--chart-other"),
    compared: colour("--chart-compared"),
    grid: colour("--chart-grid"),
    axis: colour("--chart-axis"),
    text: colour("--chart-text"),
    strong: colour("--text"),
    surface: colour("--surface"),
    raised: colour("--surface-raised"),
    font: getComputedStyle(document.documentElement).fontFamily,
  };
}

/** Draws a chart into an element, and again whenever its figures or the theme change. */
export class ChartView {
  /**
   * @param {HTMLElement} host takes all of it
   * @param {{onDrill?: (point: {label: object, series: object, facet: object}) => void}} [options]
   *   onDrill is told which mark was clicked on
   */
  constructor(host, options = {}) {
    this.host = host;
    this.options = options;
    this.chart = null;
    this.plots = [];
    views.add(this);
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(host);
  }

  /** Show these figures; returns when they are drawn. */
  async update(chart) {
    this.chart = chart;
    if (chart.error) {
      this.#replace(problem(chart.error));
    } else if (chart.type === "number") {
      this.#replace(tile(chart));
    } else if (chart.type === "progress") {
      this.#replace(progress(chart));
    } else if (isEmpty(chart)) {
      this.#replace(empty());
    } else if (PLOTTED.has(chart.type)) {
      await this.#plot();
    } else {
      const scroll = element("div", "table-scroll");
      scroll.tabIndex = 0;
      scroll.setAttribute("role", "region");
      scroll.setAttribute("aria-label", chart.title);
      scroll.append(tableOf(chart));
      this.#replace(scroll);
    }
  }

  /** The same figures once more, as in another theme. */
  async redraw() {
    if (this.chart) await this.update(this.chart);
  }

  /** Whether there is a picture that can be downloaded. */
  get hasPicture() {
    return this.plots.length > 0;
  }

  /**
   * The picture as a data URL.
   *
   * @param {"png" | "svg"} format
   */
  async picture(format) {
    const plot = this.plots[0];
    const { width, height } = plot.getBoundingClientRect();
    const { data, layout } = figureOf(this.chart, this.chart.facets[0], {
      colours: colours(),
      range: null,
      isSmall: false,
    });
    const paper = { ...layout, paper_bgcolor: colour("--surface") };
    const target = {
      data,
      layout: {
        ...paper,
        title: { text: escapeTitle(this.chart.title), font: { size: 16 }, x: 0.02, xanchor: "left" },
        margin: { ...paper.margin, t: 64, l: 16, r: 16, b: 16 },
      },
    };
    return Plotly.toImage(target, {
      format,
      width: Math.max(640, Math.round(width)),
      height: Math.max(360, Math.round(height) + 56),
      scale: format === "png" ? 2 : 1,
    });
  }

  /** Forget the page. */
  destroy() {
    views.delete(this);
    this.observer.disconnect();
    this.#purge();
    this.host.replaceChildren();
  }

  async #plot() {
    const { chart } = this;
    const isSmall = chart.facets.length > 1;
    if (this.plots.length !== chart.facets.length || !this.plots[0]?.isConnected) {
      this.#purge();
      const grid = element("div", isSmall ? "facets" : "facet-alone");
      this.plots = chart.facets.map((facet) => {
        const cell = element("div", "facet");
        if (isSmall) cell.append(element("h4", "facet-title"));
        const plot = element("div", "plot");
        plot.setAttribute("role", "img");
        cell.append(plot);
        grid.append(cell);
        return plot;
      });
      this.host.replaceChildren(grid);
      this.plots.forEach((plot, n) => {
        plot.addEventListener("keydown", (event) => event.stopPropagation());
        plot.dataset.facet = String(n);
      });
    }
    const look = { colours: colours(), range: commonRange(chart), isSmall };
    for (const [n, facet] of chart.facets.entries()) {
      const plot = this.plots[n];
      if (isSmall) plot.previousSibling.textContent = facet.title ?? "–";
      plot.setAttribute("aria-label", `${facet.title ? `${chart.title}, ${facet.title}` : chart.title}; its figures are in the table`);
      const { data, layout } = figureOf(chart, facet, look);
      const isFirst = !plot.classList.contains("js-plotly-plot");
      await Plotly.react(plot, data, { ...layout, uirevision: chart.id }, CONFIG);
      if (isFirst) plot.on("plotly_click", (event) => this.#clicked(n, event));
    }
  }

  #clicked(facetNumber, event) {
    const point = event.points?.[0];
    const facet = this.chart.facets[facetNumber];
    if (!point || !facet || !this.options.onDrill) return;
    const at = point.pointNumber ?? point.pointNumbers?.[0];
    const series = facet.series[point.curveNumber] ?? facet.series[0];
    this.options.onDrill({ label: facet.labels[at], series, facet, at });
  }

  #resize() {
    for (const plot of this.plots) {
      if (plot.isConnected && plot.offsetWidth && plot.classList.contains("js-plotly-plot")) {
        Plotly.Plots.resize(plot);
      }
    }
  }

  #replace(node) {
    this.#purge();
    this.host.replaceChildren(node);
  }

  #purge() {
    this.plots.forEach((plot) => Plotly.purge(plot));
    this.plots = [];
  }
}

/**
 * A chart's figures as a table: what a screen reader reads, and everybody may look at.
 *
 * @param {object} chart as the service renders it
 * @param {{onDrill?: Function}} [options] as of a ChartView; cells become buttons
 */
export function tableOf(chart, options = {}) {
  const table = element("table", "table figures");
  const caption = element("caption", "visually-hidden");
  caption.textContent = chart.title;
  table.append(caption);
  const [first] = chart.facets;
  if (!first) return table;
  const hasFacets = chart.facets.length > 1;
  const head = element("tr");
  if (hasFacets) head.append(headCell(chart.multiples ?? "Part"));
  head.append(headCell(chart.column ?? ""));
  for (const series of first.series) {
    const cell = headCell(series.name);
    cell.classList.add("number");
    cell.dataset.series = series.id;
    head.append(cell);
  }
  const thead = element("thead");
  thead.append(head);
  const body = element("tbody");
  let rows = 0;
  let left = 0;
  for (const facet of chart.facets) {
    facet.labels.forEach((label, at) => {
      if (rows >= ROWS) {
        left += 1;
        return;
      }
      rows += 1;
      body.append(rowOf(chart, facet, label, at, hasFacets, options));
    });
  }
  table.append(thead, body);
  if (first.labels.length > 1 && !hasFacets) table.append(footOf(first, chart));
  if (left) {
    const more = element("p", "muted");
    more.textContent = `${left.toLocaleString()} more; download the data to see them all.`;
    const both = element("div");
    both.append(table, more);
    return both;
  }
  return table;
}

function rowOf(chart, facet, label, at, hasFacets, options) {
  const row = element("tr");
  if (hasFacets) row.append(cellOf(facet.title ?? "–"));
  const name = element("th");
  name.scope = "row";
  name.textContent = labelText(label, chart.column_type);
  row.append(name);
  for (const series of facet.series) {
    const value = series.values[at];
    const cell = cellOf(shown(value, series.format));
    cell.classList.add("number");
    if (value !== null) cell.dataset.value = value;
    if (series.keys?.[at]) cell.title = String(series.keys[at]);
    if (options.onDrill && series.kind === "measure" && value !== null) {
      const button = element("button", "cell-button");
      button.type = "button";
      button.textContent = cell.textContent;
      button.setAttribute("aria-label", `${cell.textContent}: show the rows behind it`);
      button.addEventListener("click", () => options.onDrill({ label, series, facet, at }));
      cell.replaceChildren(button);
    }
    row.append(cell);
  }
  return row;
}

function footOf(facet, chart) {
  const foot = element("tfoot");
  const row = element("tr");
  row.append(headCell("Total"));
  for (const series of facet.series) {
    const cell = cellOf(shown(series.total, series.format));
    cell.classList.add("number");
    if (series.total !== null) cell.dataset.value = series.total;
    row.append(cell);
  }
  row.firstChild.title = chart.hidden ? "of all, with those out of sight" : "of all rows";
  foot.append(row);
  return foot;
}

/** A number with what it was before. */
function tile(chart) {
  const series = chart.facets[0]?.series ?? [];
  const main = series.find((each) => each.kind !== "comparison");
  const value = main ? (main.values[0] ?? main.total) : null;
  const box = element("div", "tile");
  const figure = element("p", "figure");
  figure.textContent = brief(value, main?.format ?? chart.format);
  figure.title = shown(value, main?.format ?? chart.format);
  if (value !== null) figure.dataset.value = value;
  box.append(figure);
  if (chart.change) {
    const { change } = chart;
    const way = Math.sign(Number(change.difference ?? 0));
    const line = element("p", `change ${way > 0 ? "up" : way < 0 ? "down" : "level"}`);
    const arrow = element("span", "arrow");
    arrow.setAttribute("aria-hidden", "true");
    arrow.textContent = way > 0 ? "▲" : way < 0 ? "▼" : "■";
    const text = element("span");
    text.textContent =
      change.share === null
        ? signed(change.difference, main?.format)
        : `${way > 0 ? "up" : way < 0 ? "down" : "unchanged"} ${signed(change.share, SHARE)}`;
    const before = element("span", "muted");
    before.textContent = ` from ${brief(change.before, main?.format)}`;
    before.title = shown(change.before, main?.format);
    line.append(arrow, text, before);
    box.append(line);
  }
  return box;
}

/** A number on its way to a target. */
function progress(chart) {
  const main = chart.facets[0]?.series.find((each) => each.kind !== "comparison");
  const value = main ? (main.values[0] ?? main.total) : null;
  const share = chart.progress?.share ?? null;
  const box = element("div", "tile");
  const figure = element("p", "figure");
  figure.textContent = share === null ? "–" : shown(share, SHARE);
  const bar = element("div", "progress");
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", chart.title);
  bar.setAttribute("aria-valuemin", "0");
  bar.setAttribute("aria-valuemax", "100");
  const done = element("div", "progress-done");
  if (share !== null) {
    const percent = Math.max(0, Math.min(100, Number(share) * 100));
    bar.setAttribute("aria-valuenow", String(Math.round(percent)));
    done.style.inlineSize = `${percent}%`;
    bar.classList.toggle("is-reached", Number(share) >= 1);
  }
  bar.append(done);
  const text = element("p", "muted");
  text.textContent = `${shown(value, main?.format)} of ${shown(chart.progress?.target, main?.format)}`;
  if (value !== null) text.dataset.value = value;
  box.append(figure, bar, text);
  return box;
}

function empty() {
  const box = element("div", "empty chart-empty");
  const text = element("p");
  text.textContent = "No rows for these filters";
  box.append(text);
  return box;
}

function problem(error) {
  const box = element("div", "notice bad chart-problem");
  box.setAttribute("role", "status");
  const text = element("p");
  text.textContent = error.detail ?? error.title ?? "This chart can’t be shown";
  box.append(text);
  return box;
}

function escapeTitle(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function headCell(text) {
  const cell = element("th");
  cell.scope = "col";
  cell.textContent = text;
  return cell;
}

function cellOf(text) {
  const cell = element("td");
  cell.textContent = text;
  return cell;
}

function element(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}
