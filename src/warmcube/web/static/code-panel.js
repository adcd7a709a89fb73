// The card with code that asks the same: tabs, and a button that copies.

import { toast } from "./shell.js";

/** The card. */
export class CodePanel {
  /**
   * @param {HTMLElement} card
   * @param {Object<string, () => string>} forms the code by the name of its tab, made when it is
   *   looked at
   */
  constructor(card, forms) {
    this.forms = forms;
    this.code = card.querySelector("pre");
    this.tabs = [...card.querySelectorAll("[role=tab]")];
    this.tabs.forEach((tab, place) => {
      tab.addEventListener("click", () => this.choose(tab));
      tab.addEventListener("keydown", (event) => this.move(event, place));
    });
    card.querySelector(".copy").addEventListener("click", () => this.copy());
    this.chosen = this.tabs[0].dataset.form;
  }

  /** Show the code of now. */
  show() {
    this.code.textContent = this.forms[this.chosen]();
  }

  choose(tab) {
    this.chosen = tab.dataset.form;
    for (const each of this.tabs) {
      each.setAttribute("aria-selected", String(each === tab));
      each.tabIndex = each === tab ? 0 : -1;
    }
    this.code.setAttribute("aria-labelledby", tab.id);
    this.show();
  }

  move(event, place) {
    const last = this.tabs.length - 1;
    const next = { ArrowRight: place === last ? 0 : place + 1, ArrowLeft: place === 0 ? last : place - 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.choose(this.tabs[next]);
    this.tabs[next].focus();
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.code.textContent);
      toast("Copied.", "good");
    } catch {
      getSelection().selectAllChildren(this.code);
      toast("Your browser doesn’t let pages copy. It is selected; copy it yourself.", "warn");
    }
  }
}
