// A number with its change, and progress towards a target: elements, no picture.

import { element, icon } from "./dom.js";
import { formatted, percent, rangeText, signed } from "./format.js";
import { seriesOf } from "./chart-model.js";

/** What a chart of one figure shows. */
export function figureOf(chart) {
  return chart.type === "progress" ? progress(chart) : number(chart);
}

function leading(facet) {
  return facet.series.find((series) => series.kind !== "comparison") ?? facet.series[0];
}

function valueOf(series) {
  return series.values.length === 1 ? series.values[0] : series.total;
}

function number(chart) {
  if (chart.facets.length > 1) return several(chart);
  const series = leading(chart.facets[0]);
  const exact = valueOf(series);
  const text = formatted(exact, series.format);
  const rest = chart.facets[0].series.filter((each) => each !== series && each.kind !== "comparison");
  return element(
    "div.figure-tile",
    {},
    element("p.figure", { "data-exact": exact, title: exact !== null && exact !== text ? exact : null }, text),
    chart.change ? change(chart, series) : null,
    ...rest.map((each) =>
      element("p.muted", {}, `${each.name}: `, element("span", { "data-exact": valueOf(each) }, formatted(valueOf(each), each.format))),
    ),
  );
}

function several(chart) {
  return element(
    "dl.figure-list",
    {},
    ...chart.facets.flatMap((facet) => {
      const series = leading(facet);
      return [
        element("dt", {}, facet.title ?? series.name),
        element("dd", { "data-exact": valueOf(series) }, formatted(valueOf(series), series.format)),
      ];
    }),
  );
}

/** Its direction is told by an arrow and in words; colour only adds to them, and takes no side. */
function change(chart, series) {
  const { before, difference, share } = chart.change;
  const against = chart.compared ? rangeText(chart.compared.start, chart.compared.end) : "before";
  if (before === null || difference === null) {
    return element("p.change", {}, element("span.muted", {}, `Nothing to compare with (${against})`));
  }
  const much = size(difference, share, series.format);
  // A change that rounding leaves nothing of is none to whoever reads it.
  const sign = /[1-9]/.test(much) ? Math.sign(Number(difference)) : 0;
  const [name, word] = { 1: ["up", "more than"], "-1": ["down", "less than"], 0: ["level", Number(difference) === 0 ? "as much as" : "about as much as"] }[sign];
  return element(
    "p.change",
    { title: `${signed(difference, series.format)} against ${against}` },
    element(
      `span.badge.${name}`,
      { "data-exact": share, "data-difference": difference },
      icon(name, 14),
      sign === 0 ? word : `${much} ${word}`,
    ),
    element("span", { "data-exact": before }, formatted(before, series.format)),
    element("span.muted", {}, against),
  );
}

/** How large a change is: of rates in points, else as a rate, or itself where there is none. */
function size(difference, share, format) {
  const points = { percent: 100, of_hundred: 1 }[format.kind];
  if (points) return `${formatted(String(Math.abs(Number(difference) * points).toFixed(4)), { kind: "number", decimals: 1 })} points`;
  if (share === null) return formatted(difference.replace("-", ""), format);
  return percent(Math.abs(Number(share)));
}

function progress(chart) {
  const series = leading(chart.facets[0]) ?? seriesOf(chart)[0];
  const exact = valueOf(series);
  const { target, share } = chart.progress ?? { target: null, share: null };
  const reached = share === null ? null : Number(share);
  const fill = element("span.fill");
  fill.style.width = `${Math.max(0, Math.min(1, reached ?? 0)) * 100}%`;
  const said = share === null ? "no target to measure it by" : `${percent(reached)} of the target`;
  return element(
    "div.figure-tile.progress-tile",
    {},
    element("p.figure", { "data-exact": exact }, formatted(exact, series.format)),
    element(
      reached !== null && reached >= 1 ? "div.progress-bar.reached" : "div.progress-bar",
      {
        role: "progressbar",
        "aria-label": chart.title,
        "aria-valuemin": "0",
        "aria-valuemax": "100",
        "aria-valuenow": reached === null ? null : String(Math.round(Math.max(0, Math.min(1, reached)) * 100)),
        "aria-valuetext": said,
      },
      fill,
    ),
    element(
      "p.change",
      {},
      element("strong", { "data-exact": share }, said),
      target === null
        ? null
        : element("span.muted", {}, "target ", element("span", { "data-exact": target }, formatted(target, series.format))),
    ),
  );
}
