// What a rendered chart means for drawing it: which positions there are, what each is called, what
// each series looks like. Knows neither Plotly nor the page.

import { dayText, grain, isDay } from "./format.js";

const TEMPORAL = new Set(["date", "instant"]);
const OVER_TIME = new Set(["line", "area"]);
const ROUND = new Set(["pie", "doughnut"]);

export const FIGURES = new Set(["number", "progress"]);

/** Whether a chart is drawn by Plotly. */
export function isPlot(chart) {
  return !FIGURES.has(chart.type) && chart.type !== "table";
}

export function isRound(chart) {
  return ROUND.has(chart.type);
}

/** Whether there is nothing at all to show. */
export function isEmpty(chart) {
  return !chart.facets.some((facet) =>
    facet.series.some((series) => series.values.some((value) => value !== null)),
  );
}

/** Whether the labels are days, each one on a calendar. */
export function isTemporal(chart) {
  return TEMPORAL.has(chart.column_type);
}

/** Whether the horizontal axis is a calendar, rather than one place after the other. */
export function hasCalendar(chart) {
  return (
    OVER_TIME.has(chart.type) &&
    isTemporal(chart) &&
    chart.facets.every((facet) => facet.labels.every((label) => isDay(label.key)))
  );
}

/** How days of a chart are written. */
export function grainOf(chart) {
  return grain(chart.facets.flatMap((facet) => facet.labels.map((label) => label.key)));
}

/**
 * A position's name.
 *
 * @param {object} label of a facet
 * @param {object} chart
 * @param {boolean} isLong whether there is room
 * @param {string} unit from `grainOf`
 */
export function labelText(label, chart, isLong = true, unit = grainOf(chart)) {
  return isTemporal(chart) && isDay(label.key) ? dayText(label.key, unit, isLong) : label.text;
}

/** The name of what the labels are. */
export function columnText(chart) {
  if (!chart.column) return "";
  const words = chart.column.replace(/_(uid|id|index|key)$/i, "").replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A number for drawing; null leaves a gap. */
export function drawn(text) {
  if (text === null) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

/** Series by id, in the order in which facets first name them. */
export function seriesOf(chart) {
  const found = new Map();
  for (const facet of chart.facets) {
    for (const series of facet.series) if (!found.has(series.id)) found.set(series.id, series);
  }
  return [...found.values()];
}

/**
 * How each series looks, by its id: a comparison has the colour of what it is compared with.
 *
 * @returns {Map<string, {colour: string, isCompared: boolean, mark: "line" | "bar" | "area"}>}
 */
export function looks(chart, palette) {
  const all = seriesOf(chart);
  const plain = all.filter((series) => series.kind !== "comparison");
  const found = new Map();
  let next = 0;
  for (const series of plain) {
    const isOther = series.id.endsWith("/~other");
    const colour = series.colour ?? (isOther ? palette.other : palette.series[next++ % palette.series.length]);
    found.set(series.id, { colour, isCompared: false, mark: markOf(chart, series) });
  }
  for (const series of all) {
    if (series.kind !== "comparison") continue;
    const base = found.get(series.of);
    const colour = series.colour ?? (plain.length > 1 && base ? base.colour : palette.compared);
    found.set(series.id, { colour, isCompared: true, mark: base?.mark ?? markOf(chart, series) });
  }
  return found;
}

function markOf(chart, series) {
  if (chart.type === "dual_axis") return series.draw ?? (series.axis === "right" ? "line" : "bar");
  if (chart.type === "line" || chart.type === "area") return series.draw ?? chart.type;
  return "bar";
}

/** Whether areas lie on top of each other: parts of one whole, none of them missing or negative. */
export function areStacked(chart) {
  if (chart.type === "stacked_bar") return true;
  if (chart.type !== "area") return false;
  const parts = seriesOf(chart).filter((series) => series.kind === "measure");
  if (parts.length < 2 || !parts.every((series) => series.id.includes("/"))) return false;
  return chart.facets.every((facet) =>
    facet.series.every((series) => series.values.every((value) => value !== null && Number(value) >= 0)),
  );
}

/**
 * What of a facet is drawn, series by series: numbers, or shares of each position's whole.
 *
 * @returns {Map<string, (number | null)[]>}
 */
export function figuresOf(chart, facet, hidden) {
  const shown = facet.series.filter((series) => !hidden.has(series.id));
  const found = new Map(shown.map((series) => [series.id, series.values.map(drawn)]));
  if (!chart.is_percent) return found;
  for (const isCompared of [false, true]) {
    const parts = shown.filter((series) => (series.kind === "comparison") === isCompared);
    facet.labels.forEach((_, place) => {
      const whole = parts.reduce((sum, each) => sum + Math.abs(found.get(each.id)[place] ?? 0), 0);
      for (const each of parts) {
        const values = found.get(each.id);
        values[place] = values[place] === null || whole === 0 ? null : values[place] / whole;
      }
    });
  }
  return found;
}
