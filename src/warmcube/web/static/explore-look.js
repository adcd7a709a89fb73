// How figures and charts are shown: what was chosen, or what fits the measure. Pure.

export const TYPES = [
  ["", "automatic"],
  ["bar", "bars"],
  ["line", "lines"],
  ["area", "areas"],
  ["stacked_bar", "stacked bars"],
  ["horizontal_bar", "horizontal bars"],
  ["pie", "pie"],
  ["doughnut", "doughnut"],
  ["table", "table"],
];

export const FORMATS = [
  ["", "automatic"],
  ["number", "numbers"],
  ["count", "whole numbers"],
  ["currency:USD", "US dollars"],
  ["currency:EUR", "euros"],
  ["currency:GBP", "pounds"],
  ["percent", "percent (0.25 is 25 %)"],
  ["of_hundred", "percent (25 is 25 %)"],
];

/**
 * The format of figures.
 *
 * @param {string} chosen one of FORMATS; empty for what fits
 * @param {object} query
 * @param {{measures: {measure: unknown, look: string}[]}} datasource
 */
export function formatOf(chosen, query, datasource) {
  const text = chosen || fitting(query, datasource);
  const [kind, currency = null] = text.split(":");
  return { kind, currency: kind === "currency" ? (currency ?? "USD") : null, decimals: null };
}

function fitting({ aggregate, measure }, { measures }) {
  if (aggregate === "count") return "count";
  const key = JSON.stringify(measure);
  const look = measures.find((each) => JSON.stringify(each.measure) === key)?.look ?? "number";
  return look === "currency" ? "currency:USD" : look === "count" && aggregate === "avg" ? "number" : look;
}

/** A choice of an address, if it is one. */
export function known(choices, value) {
  return choices.some(([each]) => each === value) ? value : "";
}
