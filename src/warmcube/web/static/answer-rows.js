// The rows of an answer: a table that grows on demand, and files with all of them.

import { element, icon } from "./dom.js";
import { fileName, keepAnswer } from "./download.js";
import { count, formatted } from "./format.js";
import { titleOf } from "./question.js";
import { toast } from "./shell.js";

const STEP = 500;
const NUMERIC = /^(smallint|integer|bigint|numeric|real|double)/;

/** The card of the rows. */
export class Rows {
  /**
   * @param {HTMLElement} card
   * @param {boolean} mayExport
   */
  constructor(card, mayExport) {
    this.host = card.querySelector(".rows");
    this.note = card.querySelector(".rows-note");
    this.more = element("button.button.small.rows-more", { type: "button", hidden: true, onclick: () => this.grow() });
    this.host.after(this.more);
    if (mayExport) {
      const file = (format, text) =>
        element("button.button.small", { type: "button", onclick: (event) => this.download(format, event.currentTarget) }, icon("download", 15), text);
      card.querySelector(".rows-files").replaceChildren(file("csv", "CSV"), file("parquet", "Parquet"));
    }
    this.mayExport = mayExport;
  }

  /**
   * Show an answer.
   *
   * @param {object} query that was asked
   * @param {object} answer
   * @param {{most: number | null, column: string | null, format: object}} look most is how many rows
   *   were asked for at all, where that is fewer than the query says; column is the one whose figures
   *   have the format
   */
  show(query, answer, look) {
    Object.assign(this, { query, answer, look });
    const { schema, meta } = answer;
    this.shown = 0;
    this.body = element("tbody");
    const heads = schema.map(({ name, type }) =>
      element(NUMERIC.test(type) ? "th.number" : "th", { scope: "col", title: type }, name),
    );
    const caption = element("caption.visually-hidden", {}, titleOf(query));
    this.host.replaceChildren(
      meta.rows === 0
        ? element("p.empty", {}, "No rows: nothing that you may see is like this.")
        : element("table.table", {}, caption, element("thead", {}, element("tr", {}, ...heads)), this.body),
    );
    this.host.scrollTop = 0;
    if (meta.rows > 0) this.grow();
    else this.say();
  }

  grow() {
    const { answer, look } = this;
    const last = Math.min(this.shown + STEP, answer.meta.rows);
    const rows = document.createDocumentFragment();
    for (let row = this.shown; row < last; row += 1) {
      rows.append(element("tr", {}, ...answer.schema.map((column) => cell(answer.columns[column.name][row], column, look))));
    }
    this.body.append(rows);
    this.shown = last;
    this.say();
  }

  say() {
    const total = this.answer.meta.rows;
    const { most } = this.look;
    const isCut = most !== null && total >= most;
    const rest = total - this.shown;
    this.more.hidden = rest <= 0;
    this.more.textContent = `Show ${count(Math.min(rest, STEP))} more`;
    const how = this.mayExport ? "the files hold all of them" : "narrow the query to see others";
    const rows = total === 1 ? "1 row" : `${count(total)} rows`;
    if (isCut) this.note.textContent = `${count(this.shown)} of the first ${rows}; ${how}`;
    else this.note.textContent = rest > 0 ? `the first ${count(this.shown)} of ${rows}` : rows;
  }

  async download(format, button) {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      await keepAnswer(fileName(titleOf(this.query), format), "/api/export", { ...this.query, format });
    } catch (error) {
      toast(error.message, "bad");
    } finally {
      button.disabled = false;
      button.removeAttribute("aria-busy");
    }
  }
}

function cell(value, { name, type }, look) {
  if (value === null) return element("td.muted", {}, "NULL");
  const exact = String(value);
  if (!NUMERIC.test(type)) return element("td", {}, exact);
  if (name !== look.column) return element("td.number", {}, exact);
  return element("td.number", { "data-exact": exact, title: exact }, formatted(exact, look.format));
}
