// What narrows a page: organization, practices, providers, further columns, days.

import { json, post } from "./api.js";
import { element, icon } from "./dom.js";
import { DatePicker } from "./date-picker.js";
import { Picker } from "./picker.js";

/** The bar of a dashboard's filters. */
export class FilterBar {
  /**
   * @param {HTMLElement} host
   * @param {object} dashboard as the service describes it to this viewer
   * @param {(change: object) => void} onChange told which filters are to be otherwise; a value of
   *   undefined is no filter
   */
  constructor(host, dashboard, onChange) {
    const { offers } = dashboard;
    this.dashboard = dashboard;
    this.onChange = onChange;
    this.pickers = new Map();
    const parts = [];
    if (offers.date) {
      this.dates = new DatePicker({
        presets: offers.presets,
        onChange: (days) => onChange({ preset: undefined, start: undefined, end: undefined, ...days }),
      });
      parts.push(this.dates.element);
    }
    if (offers.organizations.length > 1) parts.push(this.picker("organization", "Organization", null));
    if (offers.practices) parts.push(this.picker("practices", "Practices", offers.practices));
    if (offers.providers) parts.push(this.picker("providers", "Providers", offers.providers));
    for (const offered of offers.columns) {
      parts.push(this.picker(`where.${offered.column}`, titled(offered.column), offered));
    }
    this.reset = element(
      "button.button.quiet.small.reset",
      { type: "button", hidden: true, onclick: () => onChange(null) },
      icon("reset", 15),
      "Reset",
    );
    const print = element(
      "button.button.quiet.icon.small",
      { type: "button", "aria-label": "Print", title: "Print", onclick: () => globalThis.print() },
      icon("print", 16),
    );
    host.replaceChildren(...parts, this.reset, element("span.spring"), print);
  }

  picker(key, name, offered) {
    const made = new Picker({
      name,
      load: offered ? (signal) => this.values(offered, signal) : async () => this.organizations(),
      onChange: (values) => this.chosen(key, values),
      isSingle: key === "organization",
    });
    this.pickers.set(key, made);
    return made.element;
  }

  chosen(key, values) {
    if (key === "organization") this.onChange({ organization: values?.[0] });
    else if (key.startsWith("where.")) this.onChange({ where: { [key.slice(6)]: values ?? undefined } });
    else this.onChange({ [key]: values ?? undefined });
  }

  organizations() {
    return this.dashboard.offers.organizations.map(({ id, name }) => ({ value: id, text: name ?? id }));
  }

  /** The values of a column that this viewer may see, with their names where they have some. */
  async values(offered, signal) {
    const found = new Map();
    const { datasource, offers } = this.dashboard;
    for (const partition of offers.partitions.slice(0, 3)) {
      const pairs = offered.names
        ? await pairsOf(datasource, partition, offered, signal)
        : await valuesOf(datasource, partition, offered.column, signal);
      for (const [value, text] of pairs) {
        const key = JSON.stringify(value);
        if (!found.has(key)) found.set(key, { value, text: text ?? (value === null ? "(none)" : String(value)) });
      }
    }
    const collator = new Intl.Collator(undefined, { numeric: true });
    const isNull = (option) => Number(option.value === null);
    return [...found.values()].sort(
      (one, other) => isNull(one) - isNull(other) || collator.compare(one.text, other.text),
    );
  }

  /** Say what holds: filters and days as the service has understood them. */
  set({ filters, dates }) {
    this.dates?.set(dates);
    for (const [key, picker] of this.pickers) picker.set(this.valueOf(key, filters));
    const isSet = (name) => filters[name] !== null && filters[name] !== undefined;
    const own = ["preset", "start", "end", "organization", "practices", "providers"].some(isSet);
    this.reset.hidden = !own && Object.keys(filters.where ?? {}).length === 0;
  }

  valueOf(key, filters) {
    if (key === "organization") return filters.organization ? [filters.organization] : null;
    if (!key.startsWith("where.")) return filters[key] ?? null;
    return filters.where?.[key.slice(6)] ?? null;
  }

  /** Have the names of what is chosen, so that the bar doesn't say ids. */
  async name() {
    const unnamed = [...this.pickers.values()].filter((picker) => picker.chosen?.length > 0 && picker.options === null);
    await Promise.all(unnamed.map((picker) => picker.ready()));
  }

  /** What is chosen, in words. */
  words() {
    const chosen = [...this.pickers.values()].filter((picker) => picker.chosen !== null);
    return chosen.map((picker) => `${picker.name}: ${picker.words()}`);
  }
}

async function pairsOf(datasource, { measure, frequency }, { column, names }, signal) {
  const group = [column, names];
  const query = { datasource, measure, frequency, group_by: group, aggregate: "count", format: "columns" };
  const { columns } = await post("/api/query", query, { signal });
  return columns[column].map((value, place) => [value, columns[names][place]]);
}

async function valuesOf(datasource, { measure, frequency }, column, signal) {
  const q = encodeURIComponent(JSON.stringify({ measure, frequency }));
  const path = `/api/datasources/${datasource}/values/${encodeURIComponent(column)}?q=${q}`;
  const { values, has_null: hasNull } = await json(path, { signal });
  return [...values, ...(hasNull ? [null] : [])].map((value) => [value, null]);
}

function titled(column) {
  const words = column.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
