// The conditions of the form: column, operator, value, as many as one likes.

import { json } from "./api.js";
import { element, icon } from "./dom.js";
import { conditionOf, isBare, isListed, typed, valuesOf } from "./question.js";

const OFFERED = 300;
const WORDS = {
  eq: "is",
  neq: "is not",
  gt: "is greater than",
  gte: "is at least",
  lt: "is less than",
  lte: "is at most",
  in: "is one of",
  not_in: "is none of",
  like: "contains",
  between: "is between",
  is_null: "is NULL",
  not_null: "is not NULL",
};
let number = 0;

/** The rows of conditions. */
export class Conditions {
  /**
   * @param {HTMLElement} host
   * @param {{operators: string[], path: (column: string) => string}} options path is where the
   *   values of a column are to be had
   */
  constructor(host, { operators, path }) {
    Object.assign(this, { host, operators, path });
    this.columns = [];
    this.host.setAttribute("role", "group");
  }

  /** Begin anew, for a data source of these columns. */
  offer(columns) {
    this.columns = columns;
    this.host.replaceChildren();
  }

  /** As the service takes them. */
  get values() {
    return [...this.host.children].map((row) =>
      conditionOf(...["column", "op", "value"].map((part) => row.querySelector(`.${part}`).value)),
    );
  }

  /** One more; returns what to type into first. */
  add(given = {}) {
    number += 1;
    const column = select("column", "Column", this.columns.map((name) => [name, name]), given.column);
    const op = select("op", "Comparison", this.operators.map((each) => [each, WORDS[each] ?? each]), given.op);
    const list = element("datalist", { id: `values-${number}` });
    const value = element("input.input.value", { "aria-label": "Value", autocomplete: "off", list: list.id });
    const remove = element(
      "button.button.quiet.icon.small",
      { type: "button", "aria-label": "Remove this condition", title: "Remove", onclick: () => this.remove(row) },
      icon("close", 15),
    );
    const row = element("div.condition", { role: "group", "aria-label": "Condition" }, column, op, value, remove, list);
    const adapt = () => {
      value.hidden = value.disabled = isBare(op.value);
      value.placeholder = isListed(op.value) ? "a, b, \"c, d\"" : "value";
      check(op.value, value);
    };
    op.addEventListener("change", adapt);
    value.addEventListener("input", adapt);
    column.addEventListener("change", () => list.replaceChildren());
    value.addEventListener("focus", () => this.suggest(column.value, list));
    value.value = typed(op.value, given.value);
    adapt();
    this.host.append(row);
    return column;
  }

  remove(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector(".column") ?? this.host.nextElementSibling)?.focus();
  }

  /** What a column holds, as far as whoever asks may see it; a help that may fail. */
  async suggest(column, list) {
    if (list.childElementCount > 0) return;
    try {
      const { values } = await json(this.path(column));
      list.replaceChildren(...values.slice(0, OFFERED).map((each) => new Option("", String(each))));
    } catch {
      list.replaceChildren();
    }
  }
}

/** Say what a value lacks; a condition is never left out because it isn't finished. */
function check(op, value) {
  let trouble = "";
  if (isBare(op)) trouble = "";
  else if (value.value === "") trouble = "Give a value, or remove the condition; \"\" is the empty text.";
  else if (op === "between" && valuesOf(value.value).length !== 2) trouble = "Give two values, with a comma between them.";
  else if (isListed(op) && valuesOf(value.value).length === 0) trouble = "Give values, with commas between them.";
  value.setCustomValidity(trouble);
}

function select(part, label, pairs, given) {
  const made = element(`select.input.${part}`, { "aria-label": label });
  const known = pairs.some(([value]) => value === given);
  const all = given === undefined || known ? pairs : [...pairs, [String(given), String(given)]];
  for (const [value, text] of all) made.append(new Option(text, value));
  if (given !== undefined) made.value = String(given);
  return made;
}
