// Choosing any of many values: a button that says what is chosen, and a list to search in.

import { element, icon } from "./dom.js";
import { place } from "./menu.js";

const SHOWN = 200;
let number = 0;

/** A filter of one column. */
export class Picker {
  /**
   * @param {{name: string, load: (signal: AbortSignal) => Promise<{value: unknown, text: string}[]>,
   *   onChange: (values: unknown[] | null) => void, isSingle?: boolean}} options
   *   load is called when the list is opened for the first time; onChange is told what is chosen,
   *   null for everything; isSingle lets one value be chosen at a time
   */
  constructor({ name, load, onChange, isSingle = false }) {
    number += 1;
    this.name = name;
    this.load = load;
    this.onChange = onChange;
    this.isSingle = isSingle;
    this.options = null;
    this.chosen = null;
    this.active = -1;
    const id = `picker-${number}`;
    this.label = element("span.chosen", {}, "All");
    this.button = element(
      "button.button.filter",
      { type: "button", popovertarget: id, "aria-haspopup": "dialog", "aria-expanded": "false" },
      element("span.name", {}, name),
      this.label,
      icon("chevron", 14),
    );
    this.search = element("input.input", {
      type: "text",
      role: "combobox",
      placeholder: `Search ${name.toLowerCase()}`,
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": `Search ${name.toLowerCase()}`,
      "aria-autocomplete": "list",
      "aria-expanded": "true",
      "aria-controls": `${id}-list`,
    });
    this.list = element("ul.options", {
      id: `${id}-list`,
      role: "listbox",
      "aria-multiselectable": String(!isSingle),
      "aria-label": name,
    });
    this.note = element("p.note", { role: "status" });
    this.clear = element("button.button.quiet.small", { type: "button", onclick: () => this.choose(null) }, "All");
    this.box = element(
      "div.menu.popup.picker",
      { id, popover: "auto", role: "dialog", "aria-label": `Choose ${name.toLowerCase()}` },
      this.search,
      this.list,
      element("div.foot", {}, this.note, this.clear),
    );
    this.element = element("span.filter-host", {}, this.button, this.box);
    this.box.addEventListener("toggle", (event) => this.onToggle(event.newState === "open"));
    this.search.addEventListener("input", () => this.fill());
    this.search.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("[role=option]");
      if (item) this.toggle(this.shown[Number(item.dataset.place)]);
    });
  }

  /** Say what is chosen; null is everything. */
  set(values) {
    this.chosen = values;
    this.say();
  }

  /** What is chosen, in words. */
  words(most = 20) {
    if (this.chosen === null) return "All";
    if (this.chosen.length === 0) return "None";
    if (this.chosen.length > most) return `${this.chosen.length} chosen`;
    return this.chosen.map((value) => this.textOf(value)).join(", ");
  }

  say() {
    const { chosen } = this;
    this.label.textContent = this.words(1);
    this.button.classList.toggle("is-set", chosen !== null);
    this.button.title = (chosen ?? []).length > 1 ? this.words() : "";
    this.clear.disabled = chosen === null;
  }

  textOf(value) {
    const found = this.options?.find((option) => same(option.value, value));
    return found?.text ?? (value === null ? "(none)" : String(value));
  }

  async onToggle(isOpen) {
    this.button.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) {
      this.loading?.abort();
      return;
    }
    place(this.box, this.button);
    this.search.value = "";
    this.search.focus();
    await this.ready();
  }

  /** Have the values, if they can be had. */
  async ready() {
    if (this.options === null) {
      this.note.textContent = "Loading…";
      this.loading = new AbortController();
      try {
        this.options = await this.load(this.loading.signal);
      } catch (error) {
        if (error.name !== "AbortError") this.note.textContent = error.message;
        return;
      }
      this.say();
    }
    this.fill();
    if (this.box.matches(":popover-open")) place(this.box, this.button);
  }

  fill() {
    if (this.options === null) return;
    const wanted = folded(this.search.value);
    const words = wanted.split(/\s+/).filter(Boolean);
    const found = this.options.filter((option) => {
      option.folded ??= folded(`${option.text} ${option.value ?? ""}`);
      return words.every((word) => option.folded.includes(word));
    });
    const isChosen = (option) => (this.chosen ?? []).some((value) => same(value, option.value));
    if (words.length === 0) found.sort((one, other) => Number(isChosen(other)) - Number(isChosen(one)));
    this.shown = found.slice(0, SHOWN);
    this.list.replaceChildren(...this.shown.map((option, at) => this.item(option, at, isChosen(option))));
    const total = this.options.length;
    this.note.textContent =
      found.length > SHOWN ? `The first ${SHOWN} of ${found.length}; type to narrow` : words.length > 0 ? `${found.length} of ${total}` : `${total}`;
    this.point(this.shown.length > 0 ? 0 : -1);
  }

  item(option, at, isChosen) {
    const tail = option.text === String(option.value) ? null : element("small", {}, String(option.value ?? ""));
    return element(
      "li",
      { role: "option", id: `${this.list.id}-${at}`, "data-place": at, "aria-selected": String(isChosen) },
      element("span.box", {}, icon("check", 12)),
      element("span.text", {}, option.text),
      option.value === null ? null : tail,
    );
  }

  point(at) {
    this.active = at;
    for (const item of this.list.children) item.classList.toggle("is-active", Number(item.dataset.place) === at);
    const item = this.list.children[at];
    if (item) {
      this.search.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    } else {
      this.search.removeAttribute("aria-activedescendant");
    }
  }

  onKey(event) {
    const last = (this.shown ?? []).length - 1;
    const moves = {
      ArrowDown: Math.min(this.active + 1, last),
      ArrowUp: Math.max(this.active - 1, 0),
      PageDown: Math.min(this.active + 8, last),
      PageUp: Math.max(this.active - 8, 0),
    };
    if (event.key in moves) {
      event.preventDefault();
      this.point(moves[event.key]);
    } else if (event.key === "Enter" && this.shown?.[this.active]) {
      event.preventDefault();
      this.toggle(this.shown[this.active]);
    }
  }

  toggle(option) {
    const chosen = this.chosen ?? [];
    const rest = chosen.filter((value) => !same(value, option.value));
    const kept = this.isSingle ? [] : chosen;
    const next = rest.length < chosen.length ? rest : [...kept, option.value];
    this.choose(next.length === 0 ? null : next);
  }

  choose(values) {
    this.chosen = values;
    this.say();
    for (const item of this.list.children) {
      const { value } = this.shown[Number(item.dataset.place)];
      item.setAttribute("aria-selected", String((values ?? []).some((each) => same(each, value))));
    }
    this.onChange(values);
  }
}

/** Ids come as numbers from the service, and as text from an address. */
function same(one, other) {
  return one === null || other === null ? one === other : String(one) === String(other);
}

function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
}
