// One chart on a page: its picture, its table, its toolbar, and how it fares.

import { ChartView } from "./charts.js";
import { isPlot } from "./chart-model.js";
import { tableOf } from "./chart-table.js";
import { element, icon } from "./dom.js";
import { fileName, keep, keepAnswer } from "./download.js";
import { count, moment, rangeText } from "./format.js";
import { menuButton } from "./menu.js";
import { toast } from "./shell.js";

const ORIGINS = { store: "from cache", resident: "from cache", database: "from the database" };

/** Where figures come from, in words. */
export function originText(meta) {
  const parts = [ORIGINS[meta.origin] ?? "not read"];
  if (meta.as_of) parts.push(`as of ${moment(meta.as_of)}`);
  return parts.join(", ");
}

/** How long something took. */
export function took(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** A card that the server has put on the page, brought to life. */
export class ChartCard {
  /**
   * @param {HTMLElement} card
   * @param {{mayExport: boolean, onPick: (chart: object, mark: object) => void,
   *   onRows: (chart: object) => void, path: (chart: string, what: string) => string,
   *   filters: () => object}} page
   */
  constructor(card, page) {
    this.card = card;
    this.page = page;
    this.chart = null;
    this.isTable = false;
    this.body = card.querySelector(".chart-body");
    this.notes = card.querySelector(".chart-notes");
    const pick = (mark) => page.onPick(this.chart, mark);
    this.pick = pick;
    this.host = element("div.chart-view");
    this.table = element("div.chart-table.visually-hidden");
    this.body.replaceChildren(this.host, this.table);
    this.view = new ChartView(this.host, { onPick: pick });
    this.switch = element(
      "button.button.quiet.icon.small",
      { type: "button", "aria-pressed": "false", hidden: true, onclick: () => this.toggle() },
      icon("table", 16),
    );
    this.menu = menuButton(`More about ${card.dataset.title}`, () => this.items());
    card.querySelector(".chart-tools").replaceChildren(this.switch, this.menu);
  }

  /** Show figures. */
  update(chart) {
    this.chart = chart;
    this.card.dataset.state = chart.error ? "error" : "ready";
    this.card.classList.remove("is-stale");
    this.view.update(chart);
    const hasTable = isPlot(chart) && !chart.error && this.view.isPlotted;
    this.switch.hidden = !hasTable;
    if (!hasTable && this.isTable) this.toggle(false);
    this.sayToggle();
    this.fillNotes();
    this.tabled = null;
    if (this.isTable) this.fill();
  }

  /** Whether any of it can be seen without scrolling. */
  isInSight() {
    const { top, bottom } = this.card.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  }

  /** Have the table of the figures that are shown: there is no hurry while nobody sees it. */
  fill() {
    const { chart } = this;
    if (!chart || this.tabled === chart) return;
    this.tabled = chart;
    const isWanted = !chart.error && chart.type !== "table" && (this.view.isPlotted || !isPlot(chart));
    // Its buttons are only there for those who see them.
    this.table.replaceChildren(...(isWanted ? [tableOf(chart, this.isTable ? this.pick : null)] : []));
  }

  fillNotes() {
    const { chart } = this;
    const notes = chart.notes.map((note) => note.charAt(0).toUpperCase() + note.slice(1));
    if (chart.hidden > 0) notes.push(`${count(chart.hidden)} more are not shown`);
    if (chart.compared && chart.type !== "number") {
      notes.push(`Compared with ${rangeText(chart.compared.start, chart.compared.end)}`);
    }
    this.notes.textContent = notes.join(" · ");
    this.notes.hidden = notes.length === 0;
  }

  toggle(isTable = !this.isTable) {
    this.isTable = isTable;
    this.host.hidden = isTable;
    this.table.classList.toggle("visually-hidden", !isTable);
    if (isTable) {
      this.table.tabIndex = 0;
      this.table.setAttribute("role", "region");
      this.table.setAttribute("aria-label", this.card.dataset.title);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) this.table.removeAttribute(name);
      this.view.draw();
    }
    this.tabled = null;
    this.fill();
    this.sayToggle();
  }

  sayToggle() {
    const text = this.isTable ? "Show as chart" : "Show as table";
    this.switch.setAttribute("aria-pressed", String(this.isTable));
    this.switch.setAttribute("aria-label", `${text}: ${this.card.dataset.title}`);
    this.switch.title = text;
    this.switch.replaceChildren(icon(this.isTable ? "chart" : "table", 16));
  }

  items() {
    const { chart } = this;
    if (!chart) return ["Loading…"];
    const { meta } = chart;
    const told = [
      originText(meta),
      `${count(meta.rows)} ${meta.rows === 1 ? "row" : "rows"}`,
      took(meta.ms),
    ].join(" · ");
    if (chart.error) return [told];
    const picture = (format) => ({
      text: `Picture, ${format.toUpperCase()}`,
      icon: "image",
      run: () => this.attempt(async () => keep(fileName(chart.title, format), await this.view.image(format))),
    });
    const file = (format, text) => ({
      text,
      icon: "download",
      run: () =>
        this.attempt(() =>
          keepAnswer(fileName(chart.title, format), this.page.path(chart.id, "data"), {
            filters: this.page.filters(),
            format,
          }),
        ),
    });
    return [
      { text: "Show the rows", icon: "rows", run: () => this.page.onRows(chart) },
      ...(this.view.isPlotted ? [picture("png"), picture("svg")] : []),
      ...(this.page.mayExport ? [file("csv", "Data, CSV"), file("parquet", "Data, Parquet")] : []),
      told,
    ];
  }

  async attempt(work) {
    try {
      await work();
    } catch (error) {
      toast(error.message, "bad");
    }
  }
}
