// A chart's figures as a table: for whoever can't see the picture, or wants the numbers.

import { element } from "./dom.js";
import { formatted } from "./format.js";
import { columnText, drawn, grainOf, labelText, seriesOf } from "./chart-model.js";

const LARGE = 3000;

/**
 * A chart's figures. A cell bears the exact number in data-exact, and in its title where the format
 * rounds it.
 *
 * @param {object} chart rendered
 * @param {(mark: {facet: number, place: number, series: object}) => void} [pick] a cell was chosen
 */
export function tableOf(chart, pick) {
  const isFaceted = chart.facets.some((facet) => facet.title !== null);
  const all = seriesOf(chart);
  const caption = element("caption.visually-hidden", {}, `${chart.title}: its figures`);
  const table = element("table.table", {}, caption, heading(chart, all, isFaceted));
  const cells = chart.facets.reduce((sum, facet) => sum + facet.labels.length * all.length, 0);
  const body = element("tbody");
  // A button in each of many thousand cells would make the page slow.
  const choose = pick && cells <= LARGE ? pick : null;
  chart.facets.forEach((facet, number) => {
    const byId = new Map(facet.series.map((series) => [series.id, series]));
    facet.labels.forEach((label, place) => {
      const at = { facet: number, place };
      body.append(row(chart, { facet, label, at, all, byId, isFaceted, choose }));
    });
  });
  table.append(body);
  if (chart.column && chart.facets.length === 1 && chart.facets[0].labels.length > 1) {
    table.append(footing(chart.facets[0], all));
  }
  return table;
}

function heading(chart, all, isFaceted) {
  const names = [isFaceted ? "Part" : null, chart.column ? columnText(chart) : null];
  const columns = names.filter((name) => name !== null).map((name) => element("th", { scope: "col" }, name));
  for (const series of all) columns.push(element("th.number", { scope: "col" }, series.name));
  return element("thead", {}, element("tr", {}, ...columns));
}

function row(chart, { facet, label, at, all, byId, isFaceted, choose }) {
  const cells = [];
  if (isFaceted) cells.push(element("th", { scope: "row" }, facet.title ?? ""));
  if (chart.column) {
    const text = labelText(label, chart, true, unitOf(chart));
    const isLink = choose && chart.drill?.dashboard && !label.is_other;
    const pick = () => choose({ ...at, series: null });
    cells.push(element("th", { scope: "row" }, isLink ? element("button.figure", { type: "button", onclick: pick }, text) : text));
  }
  for (const { id } of all) {
    const series = byId.get(id);
    cells.push(figure(series, series ? series.values[at.place] : null, choose, { ...at, series }));
  }
  return element("tr", { "data-key": String(label.key ?? ""), "data-part": facet.title ?? null, "data-other": label.is_other }, ...cells);
}

const units = new WeakMap();

function unitOf(chart) {
  if (!units.has(chart)) units.set(chart, grainOf(chart));
  return units.get(chart);
}

function figure(series, exact, choose, mark) {
  const text = series ? formatted(exact, series.format) : "";
  const isCut = exact !== null && text.replace(/[^\d]/g, "") !== exact.replace(/[^\d]/g, "");
  const cell = element("td.number", {
    "data-exact": exact,
    "data-series": series?.id,
    title: isCut ? exact : null,
  });
  if (series && exact !== null && choose && series.kind === "measure") {
    cell.append(
      element("button.figure", { type: "button", title: "Show what is behind it", onclick: () => choose(mark) }, text),
    );
  } else {
    cell.append(text);
  }
  return cell;
}

function footing(facet, all) {
  if (facet.series.every((series) => series.total === null)) return "";
  const byId = new Map(facet.series.map((series) => [series.id, series]));
  const cells = all.map(({ id }) => {
    const series = byId.get(id);
    const text = series?.total === null || !series ? "" : formatted(series.total, series.format);
    return element("td.number", { "data-exact": series?.total, "data-series": id }, text);
  });
  return element("tfoot", {}, element("tr", {}, element("th", { scope: "row" }, "Total"), ...cells));
}

/**
 * One sentence about a picture, for whoever doesn't see it.
 *
 * @param {object} chart rendered
 */
export function summary(chart) {
  const all = seriesOf(chart);
  const names = all.slice(0, 3).map((series) => series.name);
  if (all.length > 3) names.push(`${all.length - 3} more`);
  const kind = chart.type.replaceAll("_", " ");
  const by = chart.column ? ` by ${columnText(chart).toLowerCase()}` : "";
  const parts = chart.facets.length > 1 ? `, in ${chart.facets.length} small charts` : "";
  const [facet] = chart.facets;
  const leading = facet?.series[0];
  let span = "";
  if (leading && facet.labels.length > 1 && chart.facets.length === 1) {
    const values = leading.values.map((exact, place) => ({ exact, place, number: drawn(exact) }));
    const known = values.filter((each) => each.number !== null);
    if (known.length > 1) {
      const least = known.reduce((one, other) => (other.number < one.number ? other : one));
      const most = known.reduce((one, other) => (other.number > one.number ? other : one));
      const say = (each) =>
        `${formatted(each.exact, leading.format)} (${labelText(facet.labels[each.place], chart, true, unitOf(chart))})`;
      span = ` ${leading.name} is between ${say(least)} and ${say(most)}.`;
    }
  }
  return `${kind.charAt(0).toUpperCase() + kind.slice(1)} chart of ${names.join(", ")}${by}${parts}.${span}`;
}

