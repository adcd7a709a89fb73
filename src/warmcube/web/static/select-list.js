// Choosing several in order: a select, and after each that is chosen another one.

import { element } from "./dom.js";

/** A list of selects; the last one is always free. */
export class SelectList {
  /**
   * @param {HTMLElement} host
   * @param {{first: string, then: string, nothing: string, onChange?: () => void,
   *   textOf?: (value: string) => string}} options the labels, the words for no choice, and for a
   *   choice that isn't offered
   */
  constructor(host, { first, then, nothing, onChange = () => {}, textOf = (value) => value }) {
    Object.assign(this, { host, first, then, nothing, onChange, textOf });
    this.pairs = [];
    host.addEventListener("change", () => {
      this.set(this.values);
      this.onChange();
    });
  }

  /** What is chosen, in order, each once. */
  get values() {
    const all = [...this.host.querySelectorAll("select")].map((each) => each.value).filter(Boolean);
    return [...new Set(all)];
  }

  /** What there is to choose from; what isn't there any more is chosen no longer. */
  offer(pairs) {
    this.pairs = pairs;
    const known = new Set(pairs.map(([value]) => value));
    this.set(this.values.filter((each) => known.has(each)));
  }

  /** Choose; what isn't offered is, from now on, so that a link's choice can be seen. */
  set(values) {
    const known = new Set(this.pairs.map(([value]) => value));
    for (const value of values) if (!known.has(value)) this.pairs = [...this.pairs, [value, this.textOf(value)]];
    const place = [...this.host.querySelectorAll("select")].indexOf(document.activeElement);
    const wanted = values.length < this.pairs.length ? [...values, ""] : values;
    this.host.replaceChildren(...wanted.map((value, at) => this.field(value, at, values)));
    if (place >= 0) this.host.querySelectorAll("select")[Math.min(place, wanted.length - 1)].focus();
  }

  field(value, at, values) {
    const id = `${this.host.id}-${at + 1}`;
    const select = element("select.input", { id });
    select.append(new Option(this.nothing, ""));
    for (const [each, text] of this.pairs) {
      if (each === value || !values.includes(each)) select.append(new Option(text, each));
    }
    select.value = value;
    return element("div.field", {}, element("label", { for: id }, at === 0 ? this.first : this.then), select);
  }
}
