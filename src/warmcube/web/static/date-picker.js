// Which days a page is about: presets, or a first and a last day.

import { element, icon } from "./dom.js";
import { rangeText } from "./format.js";
import { place } from "./menu.js";

const NAMES = { year_to_date: "Year to date", all: "All dates" };
const GROUPS = [
  ["Days", /^(today|yesterday|last_\d+_days)$/],
  ["Weeks, months", /_(week|month|full_months|full_month)s?$/],
  ["Quarters, years", /./],
];

/** A preset in words. */
function presetText(preset) {
  const words = NAMES[preset] ?? preset.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The filter of days. */
export class DatePicker {
  /**
   * @param {{presets: string[], onChange: (days: {preset?: string, start?: string, end?: string}) => void}} options
   */
  constructor({ presets, onChange }) {
    this.onChange = onChange;
    this.label = element("span.chosen");
    this.button = element(
      "button.button.filter.dates",
      { type: "button", popovertarget: "date-picker", "aria-haspopup": "dialog", "aria-expanded": "false" },
      icon("calendar", 16),
      element("span.visually-hidden", {}, "Dates: "),
      this.label,
      icon("chevron", 14),
    );
    this.start = element("input.input", { type: "date", id: "date-start", min: "0001-01-01", max: "9999-12-31" });
    this.end = element("input.input", { type: "date", id: "date-end", min: "0001-01-01", max: "9999-12-31" });
    this.trouble = element("p.trouble", { role: "alert", hidden: true });
    this.presets = new Map(presets.map((preset) => [preset, this.presetButton(preset)]));
    this.box = element(
      "div.menu.popup.date-picker",
      { id: "date-picker", popover: "auto", role: "dialog", "aria-label": "Choose dates" },
      element("div.presets", {}, ...this.groups(presets)),
      element(
        "form.range",
        { onsubmit: (event) => this.submit(event), novalidate: true },
        element("div.field", {}, element("label", { for: "date-start" }, "First day"), this.start),
        element("div.field", {}, element("label", { for: "date-end" }, "Last day"), this.end),
        element("button.button.primary", { type: "submit" }, "Apply"),
        this.trouble,
      ),
    );
    this.box.addEventListener("toggle", (event) => {
      const isOpen = event.newState === "open";
      this.button.setAttribute("aria-expanded", String(isOpen));
      if (!isOpen) return;
      place(this.box, this.button);
      (this.box.querySelector('[aria-pressed="true"]') ?? this.box.querySelector("button")).focus();
    });
    this.element = element("span.filter-host", {}, this.button, this.box);
  }

  presetButton(preset) {
    return element(
      "button.preset",
      { type: "button", "aria-pressed": "false", onclick: () => this.choose({ preset }) },
      presetText(preset),
    );
  }

  groups(presets) {
    const left = new Set(presets);
    return GROUPS.map(([name, pattern]) => {
      const own = presets.filter((preset) => left.has(preset) && pattern.test(preset));
      for (const preset of own) left.delete(preset);
      return element(
        "div.preset-group",
        { role: "group", "aria-label": name, hidden: own.length === 0 },
        ...own.map((preset) => this.presets.get(preset)),
      );
    });
  }

  /** Say which days hold: as resolved by the service. */
  set({ start, end, preset }) {
    const range = rangeText(start, end);
    this.label.replaceChildren(
      ...(preset ? [element("strong", {}, presetText(preset)), element("small", {}, range)] : [element("strong", {}, range)]),
    );
    this.button.title = range;
    for (const [name, button] of this.presets) button.setAttribute("aria-pressed", String(name === preset));
    this.start.value = start ?? "";
    this.end.value = end ?? "";
  }

  choose(days) {
    this.trouble.hidden = true;
    this.box.hidePopover();
    this.button.focus({ preventScroll: true });
    this.onChange(days);
  }

  submit(event) {
    event.preventDefault();
    const [start, end] = [this.start.value, this.end.value];
    const isMissing = !start && !end;
    if (isMissing || (start && end && start > end)) {
      this.trouble.textContent = isMissing ? "Give a first or a last day." : "The first day comes after the last one.";
      this.trouble.hidden = false;
      (isMissing ? this.start : this.end).focus();
      return;
    }
    this.choose({ ...(start ? { start } : {}), ...(end ? { end } : {}) });
  }
}
