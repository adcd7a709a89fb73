// From a rendered chart to the traces that Plotly draws. Pure.

import { areStacked, drawn, figuresOf, hasCalendar, labelText } from "./chart-model.js";
import { faded } from "./chart-palette.js";
import { plotText } from "./chart-text.js";

const SHAPE = { hoverinfo: "none", showlegend: false };

/**
 * The traces of a chart, and what each of them is.
 *
 * @param {object} chart rendered
 * @param {{looks: Map, palette: object, hidden: Set<string>}} view
 * @returns {{traces: object[], owners: {facet: number, series: object | null}[]}}
 */
export function tracesOf(chart, view) {
  const traces = [];
  const owners = [];
  chart.facets.forEach((facet, number) => {
    const figures = figuresOf(chart, facet, view.hidden);
    const shown = facet.series.filter((series) => figures.has(series.id));
    // What it is compared with stands to the left of a bar, and behind a line.
    const ordered = [
      ...shown.filter((series) => series.kind === "comparison"),
      ...shown.filter((series) => series.kind !== "comparison"),
    ];
    for (const series of ordered) {
      const look = view.looks.get(series.id);
      const make = look.mark === "bar" ? barTrace : lineTrace;
      traces.push({
        ...SHAPE,
        ...axesOf(chart, series, number),
        name: plotText(series.name, 60),
        ...make(chart, { facet, series, look, values: figures.get(series.id), view }),
      });
      owners.push({ facet: number, series });
    }
  });
  return { traces, owners };
}

/** Which axes a series of a facet is drawn on; those on the right come after all on the left. */
function axesOf(chart, series, number) {
  const right = chart.type === "dual_axis" && series.axis === "right";
  return { xaxis: axis("x", number), yaxis: axis("y", number + (right ? chart.facets.length : 0)) };
}

export function axis(letter, number) {
  return number === 0 ? letter : `${letter}${number + 1}`;
}

function places(chart, facet) {
  return hasCalendar(chart) ? facet.labels.map((label) => label.key) : facet.labels.map((_, n) => n);
}

function lineTrace(chart, { facet, look, values }) {
  const isArea = look.mark === "area" && !look.isCompared;
  const stacked = isArea && areStacked(chart);
  return {
    type: "scatter",
    mode: "lines+markers",
    x: places(chart, facet),
    y: values,
    connectgaps: false,
    line: {
      color: look.colour,
      width: look.isCompared ? 1.75 : 2.25,
      dash: look.isCompared ? "4px,4px" : "solid",
      shape: "linear",
      simplify: true,
    },
    marker: {
      color: look.colour,
      size: sizes(values),
      opacity: 1,
      line: { width: 0 },
    },
    ...(isArea ? { fillcolor: faded(look.colour, stacked ? 0.55 : 0.14) } : {}),
    ...(stacked ? { stackgroup: "all" } : isArea ? { fill: "tozeroy" } : {}),
  };
}

/** A point that no line leads to or from is shown as one; the others only while there are few. */
function sizes(values) {
  const few = values.length <= 2;
  return values.map((value, place) => {
    if (value === null) return 0;
    const isAlone = (values[place - 1] ?? null) === null && (values[place + 1] ?? null) === null;
    return isAlone ? 8 : few ? 6 : 0;
  });
}

function barTrace(chart, { facet, series, look, values, view }) {
  const along = chart.type === "horizontal_bar";
  const at = facet.labels.map((_, place) => place);
  const colours = facet.labels.map((label) => (label.is_other ? view.palette.other : look.colour));
  const single = !facet.labels.some((label) => label.is_other);
  const group = chart.type === "stacked_bar" ? (look.isCompared ? "before" : "now") : series.id;
  return {
    type: "bar",
    orientation: along ? "h" : "v",
    x: along ? values : at,
    y: along ? at : values,
    marker: {
      color: single ? look.colour : colours,
      opacity: look.isCompared ? 0.5 : 1,
      line: { width: 0 },
    },
    offsetgroup: group,
  };
}

/**
 * The slices of each facet, as one trace for each.
 *
 * @param {object} chart rendered, round
 * @param {{palette: object, hidden: Set<string>, domains: object[]}} view
 */
export function slicesOf(chart, view) {
  const traces = [];
  const owners = [];
  chart.facets.forEach((facet, number) => {
    const slices = coloured(chart, facet, view.palette).filter(
      (slice) => !view.hidden.has(slice.id) && slice.value > 0,
    );
    traces.push({
      ...SHAPE,
      type: "pie",
      domain: view.domains[number],
      hole: chart.type === "doughnut" ? 0.64 : 0,
      sort: false,
      direction: "clockwise",
      labels: slices.map((slice) => slice.id),
      values: slices.map((slice) => slice.value),
      text: slices.map((slice) => plotText(slice.text, 24)),
      texttemplate: "%{percent:.1%}",
      textposition: "inside",
      insidetextorientation: "horizontal",
      marker: {
        colors: slices.map((slice) => slice.colour),
        line: { color: view.palette.surface, width: 1.5 },
      },
    });
    owners.push({ facet: number, slices });
  });
  return { traces, owners };
}

export function coloured(chart, facet, palette) {
  return slicesOfFacet(chart, facet).map((slice, number) => ({
    ...slice,
    value: drawn(slice.exact) ?? 0,
    colour: slice.colour ?? (slice.isOther ? palette.other : palette.series[number % palette.series.length]),
  }));
}

/**
 * What a round chart is cut into: its labels, or its series where it has but one label.
 *
 * @returns {{id: string, place: number, series: object, exact: string | null, isOther: boolean}[]}
 */
function slicesOfFacet(chart, facet) {
  const plain = facet.series.filter((series) => series.kind !== "comparison");
  if (facet.labels.length === 1 && plain.length > 1) {
    return plain.map((series, number) => ({
      id: `slice ${number}`,
      place: 0,
      series,
      exact: series.values[0],
      text: series.name,
      isOther: series.id.endsWith("/~other"),
      colour: series.colour,
    }));
  }
  return facet.labels.map((label, place) => ({
    id: `slice ${place}`,
    place,
    series: plain[0],
    exact: plain[0]?.values[place] ?? null,
    text: labelText(label, chart),
    isOther: label.is_other,
    colour: null,
  }));
}
