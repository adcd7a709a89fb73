// A rendered chart as Plotly's traces and layout. Nothing here touches the page.

import { axisFormat, dayText, labelText, shown } from "./format.js";

/** Legends of more series than this say nothing; they are drawn, and listed in the table. */
const LEGEND = 24;
/** From so many series on, what is under the pointer is shown alone. */
const UNIFIED = 10;
const MARKED = 40;

/**
 * Text for Plotly, which takes some tags and entities in names as its own: as it was meant.
 *
 * @param {string} text of anybody's
 */
export function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** Whether there is anything to draw. */
export function isEmpty(chart) {
  return !chart.facets.some((facet) =>
    facet.series.some((series) => series.values.some((value) => value !== null)),
  );
}

/**
 * What Plotly draws of one facet.
 *
 * @param {object} chart as the service renders it
 * @param {object} facet one of its facets
 * @param {{colours: object, range: number[] | null, isSmall: boolean}} look colours by their
 *   tokens' names; range of values that all facets share
 */
export function figureOf(chart, facet, look) {
  if (chart.type === "pie" || chart.type === "doughnut") return pie(chart, facet, look);
  return cartesian(chart, facet, look);
}

/** The least and the greatest value that facets must have room for; null without any. */
export function commonRange(chart) {
  if (chart.facets.length < 2 || chart.is_percent) return null;
  const isStacked = chart.type === "stacked_bar" || chart.type === "area";
  let least = 0;
  let most = 0;
  for (const facet of chart.facets) {
    facet.labels.forEach((_, position) => {
      const values = facet.series.map((series) => Number(series.values[position] ?? 0));
      const up = values.filter((value) => value > 0);
      const down = values.filter((value) => value < 0);
      const sum = (numbers) => numbers.reduce((total, value) => total + value, 0);
      most = Math.max(most, isStacked ? sum(up) : Math.max(0, ...up));
      least = Math.min(least, isStacked ? sum(down) : Math.min(0, ...down));
    });
  }
  const room = (most - least || 1) * 0.05;
  return [least < 0 ? least - room : 0, most + room];
}

/** The colour of each series of a facet, by its place. */
export function seriesColours(facet, colours) {
  let next = 0;
  const byId = new Map();
  return facet.series.map((series) => {
    let chosen = series.colour;
    if (!chosen && series.kind === "comparison") {
      chosen = facet.series.length > 2 ? byId.get(series.of) : colours.compared;
    }
    chosen ??= colours.palette[next++ % colours.palette.length];
    byId.set(series.id, chosen);
    return chosen;
  });
}

function cartesian(chart, facet, look) {
  const { colours } = look;
  const isSideways = chart.type === "horizontal_bar";
  const isTime = chart.column_type === "date" && facet.labels.every((label) => label.key !== null);
  const positions = facet.labels.map((label, n) => (isTime ? label.key : String(n)));
  const texts = facet.labels.map((label) => labelText(label, chart.column_type));
  const shades = seriesColours(facet, colours);
  const isUnified = facet.series.length <= UNIFIED && !isSideways;
  const data = facet.series.map((series, n) => {
    const values = series.values.map((value) => (value === null ? null : Number(value)));
    return {
      ...drawn(chart, series, values, shades[n]),
      x: isSideways ? values : positions,
      y: isSideways ? positions : values,
      name: plain(series.name),
      yaxis: series.axis === "right" && chart.type === "dual_axis" ? "y2" : "y",
      hoverinfo: "text",
      hovertext: series.values.map((value, at) => hover(chart, series, value, texts[at], at, isUnified)),
      meta: { series: series.id },
    };
  });
  const along = {
    ...axis(colours),
    showgrid: false,
    automargin: true,
    ...(isTime
      ? { type: "date", hoverformat: "%b %-d, %Y" }
      : {
          type: "category",
          tickmode: facet.labels.length > 24 ? "auto" : "array",
          tickvals: positions,
          ticktext: texts.map((text) => plain(short(text))),
        }),
  };
  if (!isTime && facet.labels.length > 24) {
    const every = Math.ceil(facet.labels.length / 24);
    Object.assign(along, {
      tickmode: "array",
      tickvals: positions.filter((_, n) => n % every === 0),
      ticktext: texts.filter((_, n) => n % every === 0).map((text) => plain(short(text))),
    });
  }
  const left = facet.series.find((series) => series.axis !== "right") ?? facet.series[0];
  const values = {
    ...axis(colours),
    ...(chart.is_percent ? { tickformat: ",d", ticksuffix: " %" } : axisFormat(left?.format)),
    zeroline: true,
    zerolinecolor: colours.axis,
    rangemode: "tozero",
    automargin: true,
    nticks: look.isSmall ? 4 : 6,
  };
  if (look.range) Object.assign(values, { range: look.range, rangemode: "normal" });
  const layout = {
    ...base(look, facet.series.length),
    barmode: isStacked(chart) ? "relative" : "group",
    barnorm: chart.is_percent ? "percent" : "",
    bargap: 0.28,
    bargroupgap: 0.06,
    hovermode: isUnified ? "x unified" : "closest",
    xaxis: isSideways ? values : along,
    yaxis: isSideways ? { ...along, autorange: "reversed" } : values,
  };
  const right = facet.series.find((series) => series.axis === "right");
  if (chart.type === "dual_axis" && right) {
    layout.yaxis2 = {
      ...axis(colours),
      ...axisFormat(right.format),
      overlaying: "y",
      side: "right",
      showgrid: false,
      rangemode: "tozero",
      automargin: true,
    };
  }
  return { data, layout };
}

function isStacked(chart) {
  return chart.type === "stacked_bar";
}

/** How one series is drawn. */
function drawn(chart, series, values, shade) {
  const kind = drawing(chart, series);
  const isCompared = series.kind === "comparison";
  if (kind === "bar") {
    return {
      type: "bar",
      orientation: chart.type === "horizontal_bar" ? "h" : "v",
      marker: { color: shade, opacity: isCompared ? 0.55 : 1, cornerradius: isStacked(chart) ? 0 : 3 },
      offsetgroup: isStacked(chart) && isCompared ? "compared" : undefined,
    };
  }
  const sizes = values.map((value, n) => {
    const isAlone = (values[n - 1] ?? null) === null && (values[n + 1] ?? null) === null;
    return isAlone ? 8 : values.length <= MARKED && !isCompared ? 5 : 0;
  });
  return {
    type: "scatter",
    mode: "lines+markers",
    connectgaps: false,
    cliponaxis: false,
    line: { color: shade, width: isCompared ? 1.75 : 2.25, dash: isCompared ? "dot" : "solid" },
    marker: { color: shade, size: sizes },
    ...(kind === "area" && !isCompared ? { fill: "tozeroy", fillcolor: faded(shade) } : {}),
  };
}

function drawing(chart, series) {
  if (series.draw) return series.draw;
  if (chart.type === "dual_axis") return series.axis === "right" ? "line" : "bar";
  if (chart.type === "line" || chart.type === "area") return chart.type;
  return "bar";
}

function hover(chart, series, value, label, at, isUnified) {
  const parts = [`${plain(series.name)}: <b>${plain(shown(value, series.format))}</b>`];
  const own = series.keys?.[at];
  if (own && chart.column_type === "date") parts.push(` (${plain(dayText(own))})`);
  return isUnified ? parts.join("") : `${plain(label)}<br>${parts.join("")}`;
}

function pie(chart, facet, look) {
  const { colours } = look;
  const series = facet.series[0];
  const whole = series.values.map((value) => (Number(value ?? 0) > 0 ? Number(value) : 0));
  const texts = facet.labels.map((label) => labelText(label, chart.column_type));
  return {
    data: [
      {
        type: "pie",
        labels: facet.labels.map((_, n) => String(n)),
        values: whole,
        sort: false,
        direction: "clockwise",
        hole: chart.type === "doughnut" ? 0.58 : 0,
        text: texts.map((text) => plain(short(text))),
        textinfo: facet.labels.length > 8 ? "percent" : "text+percent",
        textposition: "auto",
        insidetextorientation: "horizontal",
        hoverinfo: "text",
        hovertext: texts.map(
          (text, n) => `${plain(text)}: <b>${plain(shown(series.values[n], series.format))}</b>`,
        ),
        marker: {
          colors: facet.labels.map((label, n) =>
            label.is_other ? colours.other : colours.palette[n % colours.palette.length],
          ),
          line: { color: colours.surface, width: 2 },
        },
        automargin: true,
        showlegend: false,
        meta: { series: series.id },
      },
    ],
    layout: base(look, 1),
  };
}

function base(look, count) {
  const { colours } = look;
  const hasLegend = count > 1 && count <= LEGEND;
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: colours.font, size: 12, color: colours.text },
    margin: { l: 8, r: 8, t: 8, b: 8, pad: 2 },
    showlegend: hasLegend,
    legend: {
      orientation: "h",
      x: 0,
      y: 1.02,
      xanchor: "left",
      yanchor: "bottom",
      font: { size: 12, color: colours.text },
      itemclick: "toggle",
      itemdoubleclick: "toggleothers",
    },
    hoverlabel: {
      bgcolor: colours.raised,
      bordercolor: colours.axis,
      font: { family: colours.font, size: 12, color: colours.strong },
      align: "left",
      namelength: -1,
    },
    dragmode: "zoom",
    autosize: true,
    separators: ".,",
  };
}

function axis(colours) {
  return {
    gridcolor: colours.grid,
    linecolor: colours.axis,
    tickcolor: colours.axis,
    zerolinecolor: colours.grid,
    tickfont: { size: 11, color: colours.text },
    fixedrange: false,
  };
}

/** A name that leaves room for the chart; the whole one is in the hover and in the table. */
function short(text) {
  return text.length > 22 ? `${text.slice(0, 21)}…` : text;
}

function faded(shade) {
  const numbers = /^rgba?\((\d+), (\d+), (\d+)/.exec(shade);
  if (numbers) return `rgba(${numbers.slice(1, 4).join(",")},0.16)`;
  return /^#[0-9a-f]{6}$/i.test(shade) ? `${shade}29` : shade;
}
