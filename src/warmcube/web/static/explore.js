// The page on which one asks freely: a form becomes a query, its answer a chart, rows, a story and
// code.

import { pageData, post, sentence } from "./api.js";
import { chartOf } from "./answer-chart.js";
import { Rows } from "./answer-rows.js";
import { originText, took } from "./chart-card.js";
import { FACET_HEIGHT, gridOf } from "./chart-layout.js";
import { ChartView } from "./charts.js";
import { asChart } from "./code-chart.js";
import { asCurl } from "./code-curl.js";
import { CodePanel } from "./code-panel.js";
import { asPython } from "./code-python.js";
import { element } from "./dom.js";
import { addressOf, stateOf, Unreadable } from "./explore-address.js";
import { QuestionForm } from "./explore-form.js";
import { FORMATS, formatOf, known, TYPES } from "./explore-look.js";
import { storyOf } from "./explanation.js";
import { count } from "./format.js";
import { canonical, titleOf } from "./question.js";

const MOST_ROWS = 10_000;
const byId = (id) => document.getElementById(id);
const data = pageData();

/** The page. */
class Explorer {
  constructor() {
    this.asked = null;
    this.loading = null;
    this.answer = byId("answer");
    this.chart = new ChartView(byId("picture"));
    this.rows = new Rows(byId("rows-card"), data.may_export);
    for (const [id, choices] of [["chart-type", TYPES], ["format", FORMATS]]) {
      byId(id).replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
      byId(id).addEventListener("change", () => this.look());
    }
    this.form = new QuestionForm(byId("ask"), data, () => this.ask(this.form.query(), { isNew: true }));
    this.code = new CodePanel(byId("code-card"), {
      python: () => asPython(this.asked.query, data.user),
      curl: () => asCurl(this.asked.query, location.origin),
      chart: () =>
        asChart(this.asked.query, {
          type: this.drawn?.type ?? "bar",
          format: this.formatOf(this.asked.query),
          roles: this.datasourceOf(this.asked.query).roles,
        }),
    });
    byId("clear").addEventListener("click", () => {
      history.pushState(null, "", "/explore");
      this.open();
    });
    addEventListener("popstate", () => this.open());
  }

  /** Show what the address says. */
  async open() {
    this.notice(null);
    let state = { query: null, show: "", format: "" };
    try {
      state = stateOf(location.search);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.notice(`${sentence(error.message)} What you see is a new one.`);
    }
    byId("chart-type").value = known(TYPES, state.show);
    byId("format").value = known(FORMATS, state.format);
    if (state.query === null) {
      this.form.begin();
      if (this.form.canAsk) await this.ask(this.form.query());
      else this.nothing();
      return;
    }
    // The link's query is asked as it stands, so that what is wrong with it is said.
    this.form.fill(state.query);
    await this.ask(state.query);
    if (this.asked?.query === state.query && canonical(this.form.query()) !== canonical(state.query)) {
      this.notice("The link asks for more than the form can show; the answer is to all of it.");
    }
  }

  /** Ask, and show the answer, or why there is none. */
  async ask(query, { isNew = false } = {}) {
    this.loading?.abort();
    const loading = new AbortController();
    this.loading = loading;
    if (isNew) {
      this.notice(null);
      this.remember(query);
    }
    this.answer.dataset.state = this.asked ? "loading" : "first";
    this.answer.setAttribute("aria-busy", "true");
    byId("run").setAttribute("aria-busy", "true");
    byId("meta").textContent = "Asking…";
    const most = query.aggregate || query.limit < MOST_ROWS ? null : MOST_ROWS;
    try {
      const began = performance.now();
      const cut = most === null ? {} : { limit: most };
      const found = await post("/api/query", { ...query, ...cut, format: "columns", explain: true }, { signal: loading.signal });
      this.asked = { query, found, most: query.limit === most ? null : most, there: performance.now() - began };
      this.show();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.fail(error.message);
    }
    if (this.loading !== loading) return;
    this.answer.removeAttribute("aria-busy");
    byId("run").removeAttribute("aria-busy");
    if (isNew) this.reveal();
  }

  /** Keep in the address what is asked; a link to it shows the same. */
  remember(query) {
    const address = addressOf({ query, show: byId("chart-type").value, format: byId("format").value });
    if (address !== location.pathname + location.search) history.pushState(null, "", address);
  }

  look() {
    if (!this.asked) return;
    this.remember(this.asked.query);
    this.show();
  }

  show() {
    const { query, found, most, there } = this.asked;
    const { meta } = found;
    this.answer.dataset.state = meta.rows === 0 ? "empty" : "ready";
    byId("picture-title").textContent = titleOf(query);
    byId("meta").textContent = [
      originText(meta),
      `${count(meta.rows)} ${meta.rows === 1 ? "row" : "rows"} of ${count(meta.rows_fetched)} read`,
      took(there),
    ].join(", ");
    byId("stale").hidden = !meta.stale;
    byId("notes").replaceChildren(...meta.notes.map((note) => element("p", {}, sentence(note))));
    this.draw();
    const column = query.aggregate ?? this.datasourceOf(query).roles.value;
    this.rows.show(query, found, { most, column, format: this.formatOf(query) });
    byId("explain").replaceChildren(...storyOf(found, there));
    this.code.show();
  }

  draw() {
    const { query, found } = this.asked;
    this.drawn = chartOf(query, found, { type: byId("chart-type").value, format: this.formatOf(query) });
    const picture = byId("picture");
    picture.hidden = this.drawn === null;
    if (this.drawn === null) return;
    picture.dataset.type = this.drawn.type;
    const { rows } = gridOf(this.drawn.facets.length, picture.clientWidth);
    picture.style.minHeight = this.drawn.facets.length > 1 ? `${rows * (FACET_HEIGHT + 24) + 48}px` : "";
    this.chart.update(this.drawn);
  }

  /** What went wrong stands where the answer would be; nothing of another answer beside it. */
  fail(message) {
    this.asked = null;
    this.answer.dataset.state = "error";
    byId("problem-text").textContent = sentence(message);
    byId("meta").textContent = "";
  }

  /** There is nothing to ask for. */
  nothing() {
    this.asked = null;
    const { trouble } = this.form.datasource;
    if (trouble) this.fail(trouble);
    else this.answer.dataset.state = "nothing";
  }

  notice(text) {
    byId("notice").hidden = text === null;
    byId("notice").textContent = text ?? "";
  }

  /** On a narrow screen the answer is below the form. */
  reveal() {
    const { top } = this.answer.getBoundingClientRect();
    if (top > innerHeight * 0.6 || top < 0) this.answer.scrollIntoView({ block: "start" });
  }

  datasourceOf(query) {
    return data.datasources.find((each) => each.id === query.datasource);
  }

  formatOf(query) {
    return formatOf(byId("format").value, query, this.datasourceOf(query));
  }
}

if (byId("ask")) new Explorer().open();
