// The legend: a button for each series (of a round chart: for each slice) that shows or hides it.

import { element } from "./dom.js";
import { isRound, seriesOf } from "./chart-model.js";
import { coloured } from "./chart-traces.js";

const MOST = 16;

/**
 * What a legend names.
 *
 * @param {object} chart rendered
 * @param {{looks: Map, palette: object}} view
 * @returns {{id: string, text: string, colour: string, isCompared: boolean, mark: string}[]}
 */
export function entries(chart, view) {
  if (isRound(chart)) {
    const longest = chart.facets.reduce((one, other) => (other.labels.length > one.labels.length ? other : one));
    return coloured(chart, longest, view.palette).map((slice) => ({
      id: slice.id,
      text: slice.text,
      colour: slice.colour,
      isCompared: false,
      mark: "bar",
    }));
  }
  const all = seriesOf(chart);
  if (all.length < 2) return [];
  return all.map((series) => ({ id: series.id, text: series.name, ...view.looks.get(series.id) }));
}

/**
 * Put the entries into a list.
 *
 * @param {HTMLElement} list
 * @param {object[]} all from `entries`
 * @param {Set<string>} hidden ids
 * @param {(id: string, isAlone: boolean) => void} toggle with a double click, one is shown alone
 */
export function fillLegend(list, all, hidden, toggle) {
  const shown = all.slice(0, MOST).map((entry) => item(entry, hidden, toggle));
  if (all.length > MOST) {
    shown.push(element("li.rest", {}, `and ${all.length - MOST} more, in the table too`));
  }
  list.replaceChildren(...shown);
  list.hidden = all.length === 0;
}

function item(entry, hidden, toggle) {
  const swatch = element(`span.swatch.${entry.mark}${entry.isCompared ? ".compared" : ""}`);
  swatch.style.setProperty("--swatch", entry.colour);
  const button = element(
    "button",
    {
      type: "button",
      "aria-pressed": String(!hidden.has(entry.id)),
      title: "Show or hide; twice for this alone",
      "data-series": entry.id,
      onclick: (event) => toggle(entry.id, event.detail === 2 || event.shiftKey),
    },
    swatch,
    element("span.name", {}, entry.text),
  );
  return element("li", {}, button);
}
