// A rendered chart on the screen: its picture, legend, hover, zoom and keys. Its table, its toolbar
// and its states are `chart-card.js`'s.
//
//   const view = new ChartView(host, { onPick: (mark) => … });
//   view.update(chart);     // as often as there are other figures
//   view.dispose();

import { sentence } from "./api.js";
import { element, icon } from "./dom.js";
import { figureOf } from "./chart-figures.js";
import { cells, FACET_HEIGHT, gridOf, layoutOf } from "./chart-layout.js";
import { entries, fillLegend } from "./chart-legend.js";
import { FIGURES, hasCalendar, isEmpty, isPlot, isRound, looks } from "./chart-model.js";
import { palette } from "./chart-palette.js";
import { summary, tableOf } from "./chart-table.js";
import { plotText } from "./chart-text.js";
import { told, Tip } from "./chart-tip.js";
import { slicesOf, tracesOf } from "./chart-traces.js";
import { onThemeChange } from "./theme.js";

const CONFIG = {
  displayModeBar: false,
  displaylogo: false,
  doubleClick: "reset",
  showTips: false,
  scrollZoom: false,
  responsive: false,
};
const IMAGE = { width: 1200, height: 640 };
const coarse = matchMedia("(pointer: coarse)");
const alive = new Set();

onThemeChange(() => {
  for (const view of alive) view.draw();
});

/** One chart's picture. */
export class ChartView {
  /**
   * @param {HTMLElement} host an empty element of some height
   * @param {{onPick?: (mark: {facet: number, place: number, series: object | null}) => void}} options
   *   onPick is told which mark was clicked on, or chosen by Enter
   */
  constructor(host, { onPick } = {}) {
    this.host = host;
    host.classList.add("chart-view");
    this.onPick = onPick;
    this.chart = null;
    this.hidden = new Set();
    this.cursor = null;
    this.canvas = element("div.chart-canvas", { tabindex: "0", role: "application", "aria-roledescription": "chart" });
    this.legend = element("ul.chart-legend", { "aria-label": "Series", hidden: true });
    this.said = element("p.visually-hidden", { "aria-live": "polite" });
    this.reset = element("button.button.small.zoom-reset", { type: "button", hidden: true, onclick: () => this.zoomOut() }, "Reset zoom");
    this.frame = element("div.chart-frame", {}, this.canvas, this.reset);
    this.tip = new Tip(this.frame);
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener("blur", () => this.leave());
    this.canvas.addEventListener("pointerleave", () => this.tip.hide());
    this.observer = new ResizeObserver(() => this.onResize());
    alive.add(this);
  }

  /** Show figures; those of before give way without a blank in between. */
  update(chart) {
    const isSame = this.chart?.id === chart.id && this.chart?.type === chart.type;
    this.chart = chart;
    if (!isSame) this.hidden.clear();
    this.leave();
    if (!this.isPlotted) {
      this.unplot();
      this.host.replaceChildren(this.substitute(chart));
      return;
    }
    if (!this.frame.isConnected) {
      this.host.replaceChildren(this.legend, this.frame, this.said);
      this.observer.observe(this.frame);
    }
    this.draw();
  }

  /** Whether there is a picture, rather than figures, a table or a sentence. */
  get isPlotted() {
    const { chart } = this;
    return chart !== null && !chart.error && isPlot(chart) && !isEmpty(chart);
  }

  substitute(chart) {
    if (chart.error) return problem(chart.error);
    if (isEmpty(chart)) return empty();
    if (FIGURES.has(chart.type)) return figureOf(chart);
    return element(
      "div.chart-table",
      { tabindex: "0", role: "region", "aria-label": chart.title },
      tableOf(chart, this.onPick),
    );
  }

  /** Draw what there is, for the size and the theme of now. */
  draw() {
    if (!this.isPlotted || !this.frame.isConnected) return;
    const view = this.view();
    fillLegend(this.legend, entries(this.chart, view), this.hidden, (id, alone) => this.toggle(id, alone));
    const { width, height } = this.size();
    if (width < 10 || height < 10) return;
    const drawing = picture(this.chart, { ...view, width, height });
    this.owners = drawing.owners;
    this.drawnSize = `${width} ${height}`;
    this.canvas.setAttribute("aria-label", `${this.chart.title}. ${summary(this.chart)} Arrow keys read its figures.`);
    const isNew = !this.canvas.classList.contains("js-plotly-plot");
    Plotly.react(this.canvas, drawing.data, drawing.layout, CONFIG);
    if (isNew) this.listen();
    this.canvas.dataset.marks = String(drawing.data.length);
  }

  view() {
    const colours = palette();
    return {
      palette: colours,
      looks: looks(this.chart, colours),
      hidden: this.hidden,
      isTouch: coarse.matches,
    };
  }

  size() {
    const width = Math.floor(this.frame.clientWidth);
    const { rows } = gridOf(this.chart.facets.length, width);
    const wanted = this.chart.facets.length > 1 ? rows * FACET_HEIGHT : 0;
    this.frame.style.minHeight = wanted > 0 ? `${wanted}px` : "";
    return { width, height: Math.max(Math.floor(this.frame.clientHeight), wanted) };
  }

  onResize() {
    cancelAnimationFrame(this.pending);
    this.pending = requestAnimationFrame(() => {
      if (!this.isPlotted || !this.frame.isConnected) return;
      const { width, height } = this.size();
      if (this.drawnSize !== `${width} ${height}`) this.draw();
    });
  }

  listen() {
    this.canvas.on("plotly_hover", (event) => {
      const mark = this.markOf(event);
      if (mark && event.event) this.tell(mark, event.event);
    });
    this.canvas.on("plotly_unhover", () => this.tip.hide());
    this.canvas.on("plotly_click", (event) => {
      const mark = this.markOf(event);
      if (mark && this.onPick) this.onPick(mark);
    });
    this.canvas.on("plotly_relayout", (changes) => this.onZoom(changes));
  }

  onZoom(changes) {
    const keys = Object.keys(changes);
    const isRange = (key) => /^[xy]axis\d*\.(range|autorange)/.test(key);
    if (!keys.some(isRange)) return;
    this.reset.hidden = !Object.keys(this.ranges()).some((key) => !same(this.ranges()[key], this.home()[key]));
  }

  /** The ranges of all axes that can be zoomed, as they are. */
  ranges() {
    const { layout } = this.canvas;
    const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key) && !layout[key].fixedrange);
    return Object.fromEntries(axes.map((key) => [`${key}.range`, [...layout[key].range]]));
  }

  home() {
    const { width, height } = this.size();
    const { layout } = picture(this.chart, { ...this.view(), width, height });
    const axes = Object.keys(layout).filter((key) => /^[xy]axis\d*$/.test(key) && !layout[key].fixedrange);
    return Object.fromEntries(axes.map((key) => [`${key}.range`, layout[key].range]));
  }

  zoomOut() {
    Plotly.relayout(this.canvas, this.home());
    this.reset.hidden = true;
    this.canvas.focus({ preventScroll: true });
  }

  /** Which figure an event of Plotly is about: of several at one place, the nearest. */
  markOf(event) {
    const points = event.points.filter((point) => this.owners[point.curveNumber]);
    if (points.length === 0) return null;
    const owner = (point) => this.owners[point.curveNumber];
    if (isRound(this.chart)) {
      const [point] = points;
      const id = point.label;
      const slice = owner(point).slices.find((each) => each.id === id);
      return slice ? { facet: owner(point).facet, place: slice.place, series: slice.series } : null;
    }
    const box = this.canvas.getBoundingClientRect();
    const distance = (point) => {
      const at = point.yaxis._offset + point.yaxis.c2p(point.yaxis.d2c ? point.yaxis.d2c(point.y) : point.y);
      return Math.abs(at - (event.event.clientY - box.top));
    };
    const nearest =
      points.length === 1 || !event.event
        ? points[0]
        : points.reduce((one, other) => (distance(other) < distance(one) ? other : one));
    return { facet: owner(nearest).facet, place: nearest.pointIndex ?? nearest.pointNumber, series: owner(nearest).series };
  }

  tell(mark, { clientX, clientY }) {
    const box = this.frame.getBoundingClientRect();
    this.tip.show(told(this.chart, mark, this.view()), clientX - box.left, clientY - box.top);
  }

  leave() {
    this.tip.hide();
    this.cursor = null;
  }

  toggle(id, isAlone) {
    const all = entries(this.chart, this.view()).map((entry) => entry.id);
    if (isAlone) {
      this.hidden = new Set(all.filter((each) => each !== id));
    } else if (this.hidden.has(id)) {
      this.hidden.delete(id);
    } else {
      this.hidden.add(id);
    }
    if (this.hidden.size === all.length) this.hidden.clear();
    this.draw();
    this.legend.querySelector(`[data-series="${CSS.escape(id)}"]`)?.focus({ preventScroll: true });
  }

  /** Arrows go from figure to figure, Enter shows what is behind, + and - zoom, Escape leaves. */
  onKey(event) {
    const moves = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) this.move(...moves[event.key]);
    else if (event.key === "Home") this.move(-Infinity, 0);
    else if (event.key === "End") this.move(Infinity, 0);
    else if (event.key === "Enter" && this.cursor && this.onPick) this.onPick(this.cursor);
    else if ((event.key === "+" || event.key === "-") && this.cursor) this.zoom(event.key === "+" ? 0.5 : 2);
    else if (event.key === "Escape" && this.cursor) {
      this.leave();
      if (!this.reset.hidden) this.zoomOut();
    } else return;
    event.preventDefault();
  }

  move(along, across) {
    const { facets } = this.chart;
    const cursor = this.cursor ?? { facet: 0, place: along > 0 ? -1 : along < 0 ? facets[0].labels.length : 0, series: null };
    let { facet, place } = cursor;
    const last = facets[facet].labels.length - 1;
    if (Math.abs(along) === Infinity) {
      place = along < 0 ? 0 : last;
    } else {
      place += along;
      if (place > last && facet < facets.length - 1) [facet, place] = [facet + 1, 0];
      else if (place < 0 && facet > 0) [facet, place] = [facet - 1, facets[facet - 1].labels.length - 1];
    }
    place = Math.max(0, Math.min(place, facets[facet].labels.length - 1));
    const shown = facets[facet].series.filter((series) => !this.hidden.has(series.id));
    if (shown.length === 0) return;
    const before = shown.findIndex((series) => series.id === cursor.series?.id);
    const series = shown[Math.max(0, Math.min((before < 0 ? 0 : before) + across, shown.length - 1))];
    this.cursor = { facet, place, series };
    const what = told(this.chart, this.cursor, this.view());
    this.tip.show(what, ...this.pixel());
    this.said.textContent = `${what.title}: ${what.lines.map((line) => `${line.name} ${line.text}`).join(", ")}`;
  }

  /** Where the cursor's figure is on the frame. */
  pixel() {
    const { facet, place, series } = this.cursor;
    const { width, height } = this.size();
    if (isRound(this.chart)) {
      const domain = cells(this.chart.facets.length, width, height, { x: 16, y: 30 })[facet];
      return [((domain.x[0] + domain.x[1]) / 2) * width, (1 - (domain.y[0] + domain.y[1]) / 2) * height];
    }
    const full = this.canvas._fullLayout;
    const number = this.owners.findIndex((owner) => owner.facet === facet && owner.series.id === series.id);
    const trace = this.canvas._fullData[number];
    const at = (letter) => {
      const name = trace[`${letter}axis`].replace(letter, `${letter}axis`);
      const axis = full[name];
      const value = trace[letter][place];
      return axis._offset + (value === null ? 0 : axis.c2p(axis.d2c(value)));
    };
    return [at("x"), at("y")];
  }

  zoom(by) {
    const { facet, place } = this.cursor;
    const along = this.chart.type === "horizontal_bar";
    const name = `${along ? "y" : "x"}axis${facet === 0 ? "" : facet + 1}`;
    const axis = this.canvas.layout[name];
    if (!axis || axis.fixedrange) return;
    const isDate = hasCalendar(this.chart);
    const number = (value) => (isDate ? Date.parse(value) : Number(value));
    const back = (value) => (isDate ? new Date(value).toISOString() : value);
    const centre = isDate ? Date.parse(this.chart.facets[facet].labels[place].key) : place;
    const [first, last] = axis.range.map(number);
    const range = [centre - (centre - first) * by, centre + (last - centre) * by].map(back);
    Plotly.relayout(this.canvas, { [`${name}.range`]: range });
  }

  /**
   * The picture as a file, with its title and its legend.
   *
   * @param {"png" | "svg"} format
   * @returns {Promise<string>} a data URL
   */
  image(format) {
    const view = this.view();
    const { data, layout } = picture(this.chart, { ...view, ...IMAGE, height: IMAGE.height - 90 });
    const named = entries(this.chart, view).length > 1 && data.length <= 40;
    return Plotly.toImage(
      {
        data: data.map((trace) => ({
          ...trace,
          showlegend: named,
          ...(trace.type === "pie" ? { labels: trace.text } : {}),
        })),
        layout: {
          ...layout,
          height: IMAGE.height,
          paper_bgcolor: view.palette.surface,
          margin: { ...layout.margin, t: layout.margin.t + 90, l: layout.margin.l + 16, r: layout.margin.r + 16 },
          title: {
            text: plotText(this.chart.title, 110),
            x: 0.02,
            xanchor: "left",
            font: { size: 20, color: view.palette.strong },
          },
          showlegend: named,
          legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
        },
      },
      { format, ...IMAGE, scale: format === "png" ? 2 : 1 },
    );
  }

  unplot() {
    this.observer.disconnect();
    if (this.canvas.classList.contains("js-plotly-plot")) Plotly.purge(this.canvas);
  }

  dispose() {
    this.unplot();
    alive.delete(this);
    this.host.replaceChildren();
  }
}

function problem(error) {
  return element(
    "div.chart-problem",
    { role: "status" },
    icon("warning", 22),
    element("p", {}, sentence(error.detail ?? error.title ?? "This chart can’t be shown")),
  );
}

function empty() {
  return element("div.chart-empty", {}, icon("chart", 26), element("p", {}, "No figures for this selection"));
}

function same(one, other) {
  const number = (value) => (typeof value === "string" ? Date.parse(value) : value);
  return one?.every((value, place) => Math.abs(number(value) - number(other?.[place])) < 1e-6);
}

/** Traces and layout of a chart, for a size. */
function picture(chart, view) {
  if (!isRound(chart)) {
    const { traces, owners } = tracesOf(chart, view);
    return { data: traces, layout: layoutOf(chart, view), owners };
  }
  const { domains, ...layout } = layoutOf(chart, view);
  const { traces, owners } = slicesOf(chart, { ...view, domains });
  return { data: traces, layout, owners };
}
