// What hovers beside the pointer: the exact figures of one position, as plain elements.

import { element } from "./dom.js";
import { dayText, formatted, isDay, NOTHING, percent } from "./format.js";
import { coloured } from "./chart-traces.js";
import { drawn, grainOf, isRound, isTemporal, labelText } from "./chart-model.js";

const MOST = 9;

/**
 * What is told of one position.
 *
 * @param {object} chart rendered
 * @param {{facet: number, place: number, series: object | null}} mark
 * @param {{looks: Map, palette: object, hidden: Set<string>}} view
 * @returns {{title: string, lines: {name: string, text: string, colour: string, mark: string,
 *   isCompared: boolean, isMarked: boolean}[], rest: number}}
 */
export function told(chart, mark, view) {
  const facet = chart.facets[mark.facet];
  const label = facet.labels[mark.place];
  const unit = grainOf(chart);
  const titles = [facet.title, chart.column ? labelText(label, chart, true, unit) : null];
  const shown = facet.series.filter((series) => !view.hidden.has(series.id));
  const slices = isRound(chart) ? coloured(chart, facet, view.palette) : [];
  const sliceOf = (series) => slices.find((each) => each.place === mark.place && each.series === series);
  const lines = shown.map((series) => ({
    name: nameOf(chart, series, mark.place, unit),
    text: formatted(series.values[mark.place], series.format) + share(chart, shown, series, mark.place),
    size: Math.abs(drawn(series.values[mark.place]) ?? 0),
    colour: sliceOf(series)?.colour ?? view.looks.get(series.id).colour,
    mark: isRound(chart) ? "bar" : view.looks.get(series.id).mark,
    isCompared: series.kind === "comparison",
    isMarked: shown.length > 1 && mark.series?.id === series.id,
  }));
  const kept = lines.length > MOST ? most(lines) : lines;
  return {
    title: titles.filter(Boolean).join(" · "),
    lines: kept,
    rest: lines.length - kept.length,
  };
}

function nameOf(chart, series, place, unit) {
  const key = series.keys?.[place];
  return isTemporal(chart) && isDay(key) ? `${series.name} (${dayText(key, unit, true)})` : series.name;
}

/** Where parts are drawn as shares, the share too. */
function share(chart, shown, series, place) {
  const value = drawn(series.values[place]);
  if (value === null || !(chart.is_percent || isRound(chart))) return "";
  const whole = isRound(chart)
    ? series.values.reduce((sum, each) => sum + Math.max(0, drawn(each) ?? 0), 0)
    : shown
        .filter((each) => (each.kind === "comparison") === (series.kind === "comparison"))
        .reduce((sum, each) => sum + Math.abs(drawn(each.values[place]) ?? 0), 0);
  return whole > 0 ? ` (${percent(value / whole)})` : "";
}

/** The largest of many, and whatever is pointed at, in their order. */
function most(lines) {
  const marked = lines.filter((line) => line.isMarked);
  const others = lines.filter((line) => !line.isMarked && line.text !== NOTHING);
  const kept = new Set([...marked, ...others.sort((one, other) => other.size - one.size)].slice(0, MOST));
  return lines.filter((line) => kept.has(line));
}

/** One that moves with the pointer. */
export class Tip {
  /** @param {HTMLElement} host which it stays inside of */
  constructor(host) {
    this.element = element("div.chart-tip", { "aria-hidden": "true", hidden: true });
    this.host = host;
    host.append(this.element);
  }

  /**
   * Show it.
   *
   * @param {object} what from `told`
   * @param {number} x in the host
   * @param {number} y in the host
   */
  show(what, x, y) {
    const rows = what.lines.map((line) => {
      const swatch = element(`span.swatch.${line.mark}${line.isCompared ? ".compared" : ""}`);
      swatch.style.setProperty("--swatch", line.colour);
      return element(
        line.isMarked ? "div.line.marked" : "div.line",
        {},
        swatch,
        element("span.name", {}, line.name),
        element("span.value", {}, line.text),
      );
    });
    if (what.rest > 0) rows.push(element("div.rest", {}, `and ${what.rest} more`));
    this.element.replaceChildren(
      ...(what.title ? [element("div.title", {}, what.title)] : []),
      ...rows,
    );
    this.element.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const isRight = x + 16 + width <= this.host.clientWidth;
    const left = isRight ? x + 16 : Math.max(0, x - 16 - width);
    this.element.style.left = `${left}px`;
    this.element.style.top = `${Math.max(0, Math.min(y - height / 2, this.host.clientHeight - height))}px`;
  }

  hide() {
    this.element.hidden = true;
  }
}
