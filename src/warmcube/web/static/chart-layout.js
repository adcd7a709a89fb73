// Axes, grids and margins of a chart, for its size and theme. Pure.

import { dayTexts, isDay, short } from "./format.js";
import {
  areStacked,
  figuresOf,
  grainOf,
  hasCalendar,
  isRound,
  isTemporal,
  labelText,
  seriesOf,
} from "./chart-model.js";
import { extent, named, scale } from "./chart-scale.js";
import { axis } from "./chart-traces.js";
import { plotText } from "./chart-text.js";

const FONT_SIZE = 12;
const PERCENT = { kind: "percent", currency: null, decimals: 0 };
const FACET_WIDTH = 190;
export const FACET_HEIGHT = 136;

/** How small multiples are laid out: columns and rows. */
export function gridOf(total, width) {
  const most = Math.max(1, Math.floor(width / FACET_WIDTH));
  const rows = Math.ceil(total / most);
  return { columns: Math.ceil(total / rows), rows };
}

/**
 * The layout of a chart.
 *
 * @param {object} chart rendered
 * @param {{palette: object, hidden: Set<string>, width: number, height: number, looks: Map}} view
 */
export function layoutOf(chart, view) {
  const { palette, width, height } = view;
  const base = {
    width,
    height,
    autosize: false,
    paper_bgcolor: "rgba(0, 0, 0, 0)",
    plot_bgcolor: "rgba(0, 0, 0, 0)",
    font: { family: palette.font, size: FONT_SIZE, color: palette.text },
    showlegend: false,
    hovermode: hoverMode(chart, view.looks),
    dragmode: view.isTouch || isRound(chart) ? false : "zoom",
    uirevision: revision(chart),
    annotations: [],
  };
  return isRound(chart) ? round(chart, view, base) : plane(chart, view, base);
}

/** As long as it is the same, a zoom stays. */
function revision(chart) {
  return JSON.stringify([chart.dates, chart.facets.map((facet) => facet.labels.length)]);
}

function hoverMode(chart, looks) {
  if (isRound(chart) || chart.type === "horizontal_bar") return "closest";
  return [...looks.values()].every((look) => look.mark === "bar") ? "closest" : "x";
}

/** Where each facet's picture is, in shares of the whole. */
export function cells(total, width, height, gaps) {
  const { columns, rows } = gridOf(total, width);
  const across = columns > 1 ? gaps.x / width : 0;
  const down = rows > 1 ? gaps.y / height : 0;
  const wide = (1 - across * (columns - 1)) / columns;
  const tall = (1 - down * (rows - 1)) / rows;
  return Array.from({ length: total }, (_, number) => {
    const column = number % columns;
    const row = Math.floor(number / columns);
    const left = column * (wide + across);
    const top = 1 - row * (tall + down);
    return { x: [left, Math.min(1, left + wide)], y: [Math.max(0, top - tall), top], column, row, rows };
  });
}

function round(chart, view, base) {
  const total = chart.facets.length;
  const margin = { l: 8, r: 8, t: total > 1 ? 24 : 8, b: 8 };
  const places = cells(total, view.width, view.height, { x: 16, y: 30 });
  return {
    ...base,
    margin,
    annotations: [...titles(chart, places, view), ...totals(chart, places, view)],
    uniformtext: { mode: "hide", minsize: 10 },
    domains: places.map(({ x, y }) => ({ x, y })),
  };
}

/** In the middle of a ring, what it is all of. */
function totals(chart, places, view) {
  if (chart.type !== "doughnut" || view.hidden.size > 0) return [];
  return chart.facets.flatMap((facet, number) => {
    const series = facet.series.filter((each) => each.kind !== "comparison");
    if (series.length !== 1 || series[0].total === null) return [];
    const { x, y } = places[number];
    return {
      text: plotText(short(Number(series[0].total), series[0].format, 0.01)),
      x: (x[0] + x[1]) / 2,
      y: (y[0] + y[1]) / 2,
      xref: "paper",
      yref: "paper",
      xanchor: "center",
      yanchor: "middle",
      showarrow: false,
      font: { size: chart.facets.length > 1 ? 13 : 20, color: view.palette.strong, weight: 600 },
    };
  });
}

/** The facets' titles, each above its picture. */
function titles(chart, places, view) {
  if (chart.facets.length === 1 && chart.facets[0].title === null) return [];
  const most = Math.max(8, Math.floor((view.width / gridOf(places.length, view.width).columns - 8) / 7));
  return chart.facets.map((facet, number) => ({
    text: plotText(facet.title ?? "", most),
    x: places[number].x[0],
    y: places[number].y[1],
    xref: "paper",
    yref: "paper",
    xanchor: "left",
    yanchor: "bottom",
    yshift: 3,
    showarrow: false,
    font: { size: FONT_SIZE, color: view.palette.strong, weight: 600 },
  }));
}

function plane(chart, view, base) {
  const along = chart.type === "horizontal_bar";
  const total = chart.facets.length;
  const isFaceted = total > 1 || chart.facets[0].title !== null;
  const ruler = { left: rulerOf(chart, view, "left"), right: rulerOf(chart, view, "right") };
  const names = along ? namesAlong(chart, view) : null;
  const left = along ? names.room : room(ruler.left);
  const right = ruler.right ? room(ruler.right) : along || hasCalendar(chart) ? 20 : 12;
  const foot = along ? 22 : namesBelow(chart, view).foot;
  const layout = {
    ...base,
    barmode: chart.type === "stacked_bar" ? "relative" : "group",
    bargap: 0.28,
    bargroupgap: 0.06,
    barcornerradius: chart.type === "stacked_bar" ? 2 : 4,
    margin: { l: left, r: right, t: isFaceted ? 24 : 10, b: foot },
  };
  const inner = { width: view.width - left - right, height: view.height - layout.margin.t - foot };
  const places = cells(total, inner.width, inner.height, { x: along ? left : 28, y: along ? 46 : foot + 22 });
  layout.annotations = isFaceted ? titles(chart, places, view) : [];
  chart.facets.forEach((facet, number) => {
    const place = places[number];
    const key = (letter, at) => `${letter}axis${at === 0 ? "" : at + 1}`;
    const wide = inner.width * (place.x[1] - place.x[0]);
    const value = valueAxis(ruler.left, view, place.column === 0 || along);
    const label = labelAxis(chart, facet, { view, wide, names, along });
    layout[key("x", number)] = { ...(along ? value : label), domain: place.x, anchor: axis("y", number) };
    layout[key("y", number)] = { ...(along ? label : value), domain: place.y, anchor: axis("x", number) };
    if (ruler.right) {
      layout[key("y", total + number)] = {
        ...valueAxis(ruler.right, view, isLastColumn(places, number)),
        overlaying: axis("y", number),
        anchor: axis("x", number),
        side: "right",
        showgrid: false,
        zeroline: false,
      };
    }
  });
  return layout;
}

function isLastColumn(places, number) {
  return number === places.length - 1 || places[number + 1].column === 0;
}

/** The scale of an axis of values, the same for all facets; null where nothing is on that side. */
function rulerOf(chart, view, side) {
  const isHere = (series) => (chart.type === "dual_axis" ? series.axis === side : side === "left");
  const shown = seriesOf(chart).filter(isHere);
  if (shown.length === 0) return side === "left" ? { ...scale(0, 1, true, 4), format: chart.format } : null;
  let least = Infinity;
  let most = -Infinity;
  const stacked = areStacked(chart);
  for (const facet of chart.facets) {
    const figures = figuresOf(chart, facet, view.hidden);
    const all = facet.series.filter((series) => isHere(series) && figures.has(series.id));
    const lists = (isCompared) =>
      all
        .filter((series) => (series.kind === "comparison") === isCompared)
        .map((series) => figures.get(series.id));
    const found = stacked
      ? [extent(lists(false), []), extent(lists(true), [])]
      : [extent([], [...lists(false), ...lists(true)])];
    least = Math.min(least, ...found.map(([low]) => low));
    most = Math.max(most, ...found.map(([, high]) => high));
  }
  const isSolid = shown.some((series) => view.looks.get(series.id).mark !== "line");
  const long = chart.type === "horizontal_bar" ? view.width / 90 : view.height / gridRows(chart, view) / 48;
  const found = scale(least, most, isSolid, Math.max(2, Math.min(6, Math.floor(long))));
  if (chart.is_percent) {
    const low = found.range[0] < 0 ? -1 : 0;
    const ticks = low < 0 ? [-1, -0.5, 0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1];
    return { range: [low, 1], ticks, step: 0.25, format: PERCENT };
  }
  return { ...found, format: shown[0].format };
}

function gridRows(chart, view) {
  return gridOf(chart.facets.length, view.width).rows;
}

function tickTexts(ruler) {
  return ruler.ticks.map((tick) => plotText(short(tick, ruler.format, ruler.step)));
}

function room(ruler) {
  const longest = Math.max(...tickTexts(ruler).map((text) => text.length));
  return Math.round(longest * 6.7 + 14);
}

function valueAxis(ruler, view, isNamed) {
  return {
    type: "linear",
    range: ruler.range,
    fixedrange: true,
    tickmode: "array",
    tickvals: ruler.ticks,
    ticktext: tickTexts(ruler),
    showticklabels: isNamed,
    gridcolor: view.palette.grid,
    gridwidth: 1,
    zeroline: ruler.range[0] < 0,
    zerolinecolor: view.palette.axis,
    zerolinewidth: 1,
    ticks: "",
    ticklabelstandoff: 4,
    automargin: false,
  };
}

function namesAlong(chart, view) {
  const texts = chart.facets.flatMap((facet) => facet.labels.map((label) => labelText(label, chart, false)));
  const most = Math.max(6, Math.min(26, Math.floor((view.width * 0.4) / 7)));
  const longest = Math.min(most, Math.max(1, ...texts.map((text) => [...text].length)));
  return { most, room: Math.round(longest * 6.9 + 14) };
}

/** How the names below an axis lie: level where they have room, else slanting. */
function namesBelow(chart, view) {
  if (hasCalendar(chart)) return { foot: 26, slant: 0, most: 40 };
  const { columns } = gridOf(chart.facets.length, view.width);
  const wide = (view.width - 60) / columns;
  const unit = grainOf(chart);
  const labels = chart.facets[0].labels;
  const lengths = labels.map((label) => [...labelText(label, chart, false, unit)].length);
  const longest = Math.max(1, ...lengths);
  const each = wide / Math.max(1, labels.length);
  if (isTemporal(chart) || Math.min(longest, 22) * 6.9 + 10 <= each) {
    const length = isTemporal(chart) && unit !== "minute" ? 8 : Math.min(longest, 22);
    return { foot: 26, slant: 0, most: 22, each: length * 6.9 + (columns > 1 ? 28 : 14) };
  }
  const most = columns > 1 ? 10 : 16;
  return { foot: Math.round(Math.min(longest, most) * 4.3 + 26), slant: -38, most, each: 20 };
}

/** A line through all that is told of at once. */
function guide({ palette }) {
  return {
    showspikes: true,
    spikemode: "across",
    spikesnap: "hovered data",
    spikethickness: 1,
    spikedash: "solid",
    spikecolor: palette.axis,
  };
}

/** The names of some positions, in order. */
function textsOf(chart, facet, places, most) {
  const unit = grainOf(chart);
  const labels = places.map((place) => facet.labels[place]);
  const texts =
    isTemporal(chart) && labels.every((label) => isDay(label.key))
      ? dayTexts(labels.map((label) => label.key), unit)
      : labels.map((label) => labelText(label, chart, false, unit));
  return texts.map((text) => plotText(text, most));
}

function labelAxis(chart, facet, { view, wide, names, along }) {
  const shared = {
    showgrid: false,
    zeroline: false,
    showline: !along,
    linecolor: view.palette.axis,
    ticks: "",
    ticklabelstandoff: 4,
    automargin: false,
    ...(hoverMode(chart, view.looks) === "x" ? guide(view) : {}),
  };
  if (hasCalendar(chart)) return { ...shared, ...calendar(chart, facet, wide) };
  const total = facet.labels.length;
  if (along) {
    const shown = named(total, Math.floor((view.height / gridRows(chart, view) - 30) / 17));
    return {
      ...shared,
      type: "linear",
      range: [total - 0.5, -0.5],
      fixedrange: total <= 12,
      tickmode: "array",
      tickvals: shown,
      ticktext: textsOf(chart, facet, shown, names.most),
    };
  }
  const { slant, most, each } = namesBelow(chart, view);
  const shown = named(total, Math.floor(wide / each));
  return {
    ...shared,
    type: "linear",
    range: [-0.5, total - 0.5],
    fixedrange: total <= 3,
    tickmode: "array",
    tickvals: shown,
    ticktext: textsOf(chart, facet, shown, most),
    tickangle: slant,
  };
}

function calendar(chart, facet, wide) {
  const unit = grainOf(chart);
  const total = facet.labels.length;
  if (total === 0) return { type: "linear", range: [0, 1], showticklabels: false, fixedrange: true };
  const length = { year: 40, month: 50, day: 62, minute: 110 }[unit] + (chart.facets.length > 1 ? 24 : 0);
  const shown = named(total, Math.floor(wide / length));
  const keys = facet.labels.map((label) => label.key);
  const day = 86_400_000;
  const [first, last] = [Date.parse(keys[0]), Date.parse(keys[total - 1])];
  const margin = total > 1 ? (last - first) * 0.015 : day;
  return {
    type: "date",
    range: [new Date(first - margin).toISOString(), new Date(last + margin).toISOString()],
    fixedrange: total <= 3,
    tickmode: "array",
    tickvals: shown.map((place) => keys[place]),
    ticktext: textsOf(chart, facet, shown),
    ticklabeloverflow: "allow",
  };
}
