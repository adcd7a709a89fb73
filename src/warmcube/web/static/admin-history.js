// Figures over time: four small plots, and the same figures as a table.

import { count, duration, latency, percent, size } from "./admin-format.js";
import { json } from "./api.js";
import { element } from "./dom.js";
import { moment } from "./format.js";
import { colour, onThemeChange } from "./theme.js";

const { Plotly } = window;
const byId = (id) => document.getElementById(id);
const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset", showTips: false };
const ROWS = 200;
const PLOT_HEIGHT = 176;
/** Points further apart than so many usual distances aren't joined: nobody looked in between. */
const GAP = 3;

const PLOTS = [
  {
    id: "hit_rate",
    title: "Hit rate",
    lines: [["hit_rate", "answered by the cache", "--chart-1"]],
    text: percent,
    axis: { tickformat: ".0%", range: [0, 1.05] },
    empty: "Nothing was asked in this time.",
  },
  {
    id: "latency",
    title: "Latency",
    lines: [
      ["median_ms", "median", "--chart-1"],
      ["p95_ms", "95 %", "--chart-2"],
    ],
    text: latency,
    axis: { ticksuffix: " ms", rangemode: "tozero" },
    empty: "Nothing was asked in this time.",
  },
  {
    id: "memory",
    title: "Memory",
    lines: [["memory_bytes", "of the snapshot’s keys", "--chart-3"]],
    text: size,
    axis: { tickformat: ".3~s", ticksuffix: "B", rangemode: "tozero" },
    empty: "No snapshot was live in this time.",
  },
  {
    id: "age",
    title: "Age of the snapshot",
    lines: [["age_seconds", "since its table was read", "--chart-6"]],
    text: duration,
    axis: { rangemode: "tozero", nticks: 4 },
    empty: "No snapshot was live in this time.",
  },
];
const COLUMNS = [
  ["When", (point) => moment(point.at)],
  ["State", (point) => point.state],
  ["Queries", (point) => count(point.queries)],
  ["Hit rate", (point) => percent(point.hit_rate)],
  ["Median", (point) => latency(point.median_ms)],
  ["95 %", (point) => latency(point.p95_ms)],
  ["Memory", (point) => size(point.memory_bytes)],
  ["Entries", (point) => count(point.entries)],
  ["Age", (point) => duration(point.age_seconds)],
];

/** Fill the section; `refresh` asks anew. */
export function openHistory(data) {
  const ranges = [
    [1, "1 h"],
    [24, "24 h"],
    ...(data.kept_days > 1 ? [[data.kept_days * 24, `${data.kept_days} d`]] : []),
  ];
  let hours = 1;
  let points = [];
  const select = byId("history-datasource");
  select.append(
    ...data.datasources.map((each) => element("option", { value: String(each.id) }, each.name)),
  );
  select.hidden = data.datasources.length < 2;

  async function refresh() {
    if (!select.value) return;
    const found = await json(
      `/api/admin/analytics/cache/history?datasource=${select.value}&hours=${hours}`,
    );
    points = found.datasources[0].points;
    show();
  }

  function show() {
    if (points.length) draw(points, hours);
    else byId("plots").replaceChildren(nothing(data));
    const last = points.at(-1);
    byId("history-note").textContent = last
      ? `${points.length === 1 ? "1 sample" : `${count(points.length)} samples`}; the last one of ${moment(last.at)}. One is taken a minute.`
      : "";
    byId("history-rows").replaceChildren(tableOf(points));
  }

  const buttons = ranges.map(([wanted, text]) =>
    element("button", { type: "button", "aria-pressed": String(wanted === hours) }, text),
  );
  buttons.forEach((button, place) =>
    button.addEventListener("click", () => {
      hours = ranges[place][0];
      buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
      refresh().catch((error) => (byId("history-note").textContent = error.message));
    }),
  );
  byId("history-hours").append(...buttons);
  select.addEventListener("change", () =>
    refresh().catch((error) => (byId("history-note").textContent = error.message)),
  );
  onThemeChange(show);
  return { refresh };
}

function nothing(data) {
  const why = data.kept_days
    ? "Nothing has been measured in this time yet. The service takes a sample each minute."
    : "No figures are kept: [cache] history_days is 0.";
  return element("div.empty", {}, element("p", {}, why));
}

/** Draw all plots; those that are there already are only given their new figures. */
function draw(points, hours) {
  const place = byId("plots");
  if (!place.querySelector("figure")) {
    place.replaceChildren(...PLOTS.map((plot) => element("figure", { "data-plot": plot.id })));
  }
  for (const plot of PLOTS) {
    const figure = place.querySelector(`[data-plot="${plot.id}"]`);
    const last = points.findLast((point) => point[plot.lines[0][0]] !== null);
    const caption = element(
      "figcaption",
      {},
      plot.title,
      element("span", {}, last ? plot.lines.map(([name]) => plot.text(last[name])).join(" / ") : "–"),
    );
    const host = last ? hostOf(figure, plot) : element("div.empty", {}, element("p", {}, plot.empty));
    figure.replaceChildren(caption, host);
    if (last) Plotly.react(host, traces(plot, points), layout(plot, points, hours), CONFIG);
  }
}

/** Where a plot is drawn: the one that it was drawn in before, if there is one. */
function hostOf(figure, plot) {
  return (
    figure.querySelector(".over-time-plot") ??
    element("div.over-time-plot", {
      role: "img",
      "aria-label": `${plot.title} over time; its figures are in the table below`,
    })
  );
}

function traces(plot, points) {
  const times = points.map((point) => Date.parse(point.at));
  const steps = times.slice(1).map((time, n) => time - times[n]);
  const usual = [...steps].sort((one, other) => one - other)[Math.floor(steps.length / 2)] ?? 0;
  return plot.lines.map(([name, label, token]) => {
    const x = [];
    const y = [];
    points.forEach((point, n) => {
      if (n > 0 && times[n] - times[n - 1] > GAP * usual) {
        x.push(new Date(times[n - 1] + 1));
        y.push(null);
      }
      x.push(new Date(times[n]));
      y.push(point[name]);
    });
    const isAlone = y.map((value, n) => value !== null && (y[n - 1] ?? null) === null && (y[n + 1] ?? null) === null);
    return {
      type: "scatter",
      mode: "lines+markers",
      x,
      y,
      name: label,
      connectgaps: false,
      line: { color: colour(token), width: 2 },
      marker: { color: colour(token), size: isAlone.map((is) => (is ? 6 : 0)) },
      hoverinfo: "text",
      hovertext: y.map((value, n) => `${label}: <b>${plot.text(value)}</b><br>${moment(x[n].toISOString())}`),
    };
  });
}

function layout(plot, points, hours) {
  const grid = colour("--chart-grid");
  const axis = {
    gridcolor: grid,
    linecolor: colour("--chart-axis"),
    zerolinecolor: grid,
    tickfont: { size: 11, color: colour("--chart-text") },
    automargin: true,
    fixedrange: true,
  };
  const now = Math.max(Date.now(), Date.parse(points.at(-1).at));
  const whole = hours * 3_600_000;
  // What is shorter than the stretch fills the plot all the same.
  const known = Math.min(whole, Math.max(300_000, (now - Date.parse(points[0].at)) * 1.05));
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.documentElement).fontFamily, size: 12, color: colour("--chart-text") },
    margin: { l: 8, r: 8, t: 6, b: 8, pad: 2 },
    showlegend: plot.lines.length > 1,
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", font: { size: 11 } },
    hovermode: "closest",
    hoverlabel: { bgcolor: colour("--surface-raised"), bordercolor: colour("--chart-axis"), font: { color: colour("--text") } },
    dragmode: false,
    height: PLOT_HEIGHT,
    xaxis: { ...axis, type: "date", showgrid: false, nticks: 5, tickformat: known > 172_800_000 ? "%b %-d" : "%H:%M", range: [new Date(now - known), new Date(now)] },
    yaxis: { ...axis, nticks: 4, ...plot.axis, ...(plot.id === "age" ? ageTicks(points) : {}) },
  };
}

/** Ticks that are whole seconds, minutes, hours or days. */
function ageTicks(points) {
  const most = Math.max(1, ...points.map((point) => point.age_seconds ?? 0));
  const step = [15, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400].find((each) => most / each <= 4) ?? 172800;
  const tickvals = [];
  for (let at = 0; at <= most + step; at += step) tickvals.push(at);
  return { tickmode: "array", tickvals, ticktext: tickvals.map((at) => (at ? duration(at) : "0")) };
}

function tableOf(points) {
  const rows = points
    .slice(-ROWS)
    .reverse()
    .map((point) =>
      element("tr", {}, ...COLUMNS.map(([, text], n) => element(n > 1 ? "td.number" : "td", {}, text(point)))),
    );
  const head = COLUMNS.map(([name], n) => element(n > 1 ? "th.number" : "th", { scope: "col" }, name));
  return element(
    "table.table",
    {},
    element("caption.visually-hidden", {}, "Figures over time, the youngest first"),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
}
