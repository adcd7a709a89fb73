// An answer as a chart: the first grouping is its labels, the second its series, the third makes
// small charts. Pure.

import { titleOf } from "./question.js";

const MOST = { cells: 60_000, series: 500, facets: 24 };
const ROUND = new Set(["pie", "doughnut"]);
const TEMPORAL = { date: "date", timestamp: "instant", timestamptz: "instant" };

/** The word for a value that is a label. */
function labelOf(value) {
  return value === null ? "(none)" : String(value);
}

/**
 * @param {object} query that was asked
 * @param {object} answer with columns, schema
 * @param {{type: string, format: object}} look type is empty for what fits
 * @returns {object | null} a rendered chart; null if there is none of this answer
 */
export function chartOf(query, answer, { type, format }) {
  if (!query.aggregate) return null;
  const groups = query.group_by ?? [];
  const [label, split, multiple] = groups;
  const chart = {
    id: "explored",
    title: titleOf(query),
    format,
    is_percent: false,
    column: label ?? null,
    column_type: null,
    error: null,
    change: null,
    notes: [],
    facets: [],
  };
  const values = (answer.columns[query.aggregate] ?? []).map((each) => (each === null ? null : String(each)));
  if (label === undefined) {
    const only = seriesOf({ id: query.aggregate, name: titleOf(query), split: null }, [values[0] ?? null], format);
    return { ...chart, type: "number", facets: [{ key: null, title: null, labels: [{ key: null, text: "" }], series: [only] }] };
  }
  if (groups.length > 3) return refused(chart, "More than three groupings have no chart; the rows are below.");
  chart.column_type = temporal(answer.schema, label);
  const isOrdered = (query.order_by ?? []).length > 0;
  const of = (name) => (name === undefined ? values.map(() => null) : answer.columns[name]);
  const keys = { label: distinct(of(label), isOrdered), split: distinct(of(split), isOrdered), multiple: distinct(of(multiple), isOrdered) };
  const wrong = tooMuch(keys);
  if (wrong) return refused(chart, wrong);
  const drawn = type || fitting(chart, keys, split);
  if (split !== undefined && ROUND.has(drawn)) {
    return refused(chart, `A ${drawn} shows one series, and this is grouped by two columns. Choose bars, or one grouping.`);
  }
  const facets = keys.multiple.map((key) => ({
    key,
    title: multiple === undefined ? null : labelOf(key),
    labels: keys.label.map((each) => ({ key: each, text: labelOf(each), is_other: false })),
    series: keys.split.map((part) => seriesOf(named(query, split, part), keys.label.map(() => null), format)),
  }));
  const place = { label: places(keys.label), split: places(keys.split), multiple: places(keys.multiple) };
  const columns = { label: of(label), split: of(split), multiple: of(multiple) };
  values.forEach((value, row) => {
    const { series } = facets[place.multiple.get(columns.multiple[row])];
    series[place.split.get(columns.split[row])].values[place.label.get(columns.label[row])] = value;
  });
  return { ...chart, type: drawn, facets };
}

function refused(chart, detail) {
  return { ...chart, type: "bar", error: { detail } };
}

function temporal(schema, name) {
  const { type } = schema.find((each) => each.name === name);
  return TEMPORAL[type] ?? type;
}

function named(query, split, part) {
  if (split === undefined) return { id: query.aggregate, name: titleOf({ ...query, group_by: [] }), split: null };
  return { id: `${query.aggregate}/${JSON.stringify(part)}`, name: labelOf(part), split: part };
}

function seriesOf({ id, name, split }, values, format) {
  return { id, name, kind: "measure", values, total: null, format, colour: null, axis: "left", draw: null, of: null, keys: null, split };
}

/** The type that fits best where nobody chose one. */
function fitting(chart, keys, split) {
  if (chart.column_type === "date" || chart.column_type === "instant") {
    return split === undefined && keys.label.length > 2 ? "area" : keys.label.length > 2 ? "line" : "bar";
  }
  const longest = keys.label.reduce((most, each) => Math.max(most, labelOf(each).length), 0);
  return split === undefined && longest > 12 && keys.label.length <= 40 ? "horizontal_bar" : "bar";
}

function tooMuch({ label, split, multiple }) {
  if (multiple.length > MOST.facets) {
    return `That would be ${multiple.length} small charts, more than ${MOST.facets}; the rows are below.`;
  }
  if (split.length > MOST.series) return `That would be ${split.length} series, more than ${MOST.series}; the rows are below.`;
  const cells = label.length * split.length * multiple.length;
  return cells > MOST.cells ? `That is too much to draw: ${cells.toLocaleString()} figures. The rows are below.` : null;
}

function places(keys) {
  return new Map(keys.map((key, place) => [key, place]));
}

/** Values once each: in the answer's order if one was asked for, else by size. */
function distinct(values, isOrdered) {
  const found = [...new Set(values)];
  return isOrdered ? found : found.sort(compare);
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** Numbers by size, text by the alphabet, NULL last. */
function compare(one, other) {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  if (typeof one === "number" && typeof other === "number") return one - other;
  return collator.compare(String(one), String(other));
}
