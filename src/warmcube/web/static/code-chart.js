// A query as a chart of a dashboard's file, in TOML. What a chart can't say is said in comments. Pure.

import { isBare, isNull, nameOf, orderOf, titleOf } from "./question.js";

const ROUND = new Set(["pie", "doughnut"]);
const MOST = { conditions: 20, values: 1000, text: 1000, title: 200 };

/**
 * A chart that shows the same.
 *
 * @param {object} query as the service takes it
 * @param {{type: string, format: {kind: string, currency: string | null}, roles: object}} shown
 *   how it is shown here, and the role columns of the data source
 */
export function asChart(query, { type, format, roles }) {
  const refusal = refusalOf(query);
  if (refusal) return `# ${refusal}\n`;
  const left = [];
  const [label, ...parts] = query.group_by ?? [];
  const kind = label === undefined ? "number" : type === "number" ? "bar" : type;
  const title = titleOf(query).replace(/[\s\p{Cc}]+/gu, " ").trim();
  const lines = [
    "[[charts]]",
    `id = ${toml(identifier(title))}`,
    `title = ${toml([...title].slice(0, MOST.title).join(""))}`,
    `type = ${toml(kind)}`,
  ];
  if (roles.measure) lines.push(`measure = ${toml(query.measure)}`);
  else lines.push(`series = [{ name = ${toml(query.aggregate)} }]`);
  if (roles.frequency) lines.push(`frequency = ${toml(query.frequency)}`);
  lines.push(`aggregate = ${toml(query.aggregate)}`);
  if (format.kind !== "number") lines.push(`format = ${formatOf(format)}`);
  if (label !== undefined) lines.push(`group_by = ${toml(label)}`);
  lines.push(...partsOf(parts, kind, left), ...orderOfLabels(query, label, roles, left));
  lines.push(...datesOf(query, roles, left), ...conditionsOf(query, roles, left));
  return [...left.map((each) => `# ${plain(each)}`), ...lines, ""].join("\n");
}

/** Why there is no such chart at all; null if there is one. */
function refusalOf(query) {
  if (!query.aggregate) return "A chart shows aggregates; choose one, and what to group by.";
  if (isNull(query.measure)) return "A chart can’t be about rows without a measure.";
  if (isNull(query.frequency)) return "A chart can’t be about rows without a frequency.";
  for (const name of ["measure", "frequency"]) {
    if (nameOf(query[name]).length > MOST.text) return `A chart can’t name a ${name} of more than ${MOST.text} characters.`;
  }
  for (const name of ["practices", "providers"]) {
    if (query[name]?.length === 0) return `A chart can’t be about no ${name} at all.`;
  }
  return null;
}

function partsOf(parts, kind, left) {
  const lines = [];
  const [split, multiples, ...rest] = parts;
  if (split !== undefined && ROUND.has(kind)) {
    left.push(`A ${kind} has one series; the grouping by ${parts.join(", ")} is left out.`);
    return lines;
  }
  if (split !== undefined) lines.push(`split_by = ${toml(split)}`);
  if (multiples !== undefined && kind !== "table") lines.push(`multiples = ${toml(multiples)}`);
  else if (multiples !== undefined) rest.unshift(multiples);
  if (rest.length > 0) left.push(`The grouping by ${rest.join(", ")} is left out: that is more than a chart can show.`);
  return lines;
}

/** Order and limit: a chart sorts its labels, and can show the largest ones. */
function orderOfLabels(query, label, roles, left) {
  const orders = (query.order_by ?? []).map(orderOf).filter(Boolean);
  const [first, ...more] = orders;
  const lines = [];
  const isDate = label !== undefined && label === roles.date;
  const isLargest = first?.column === query.aggregate && first.descending;
  if (first && label === undefined) left.push("One figure has no order.");
  else if (first && isDate && !(first.column === label && !first.descending)) {
    left.push(`Dates are always in their order; ordering by ${first.column} is left out.`);
  } else if (first && !isDate && [label, query.aggregate].includes(first.column)) {
    const by = first.column === label ? "label" : "value";
    lines.push(`sort = ${toml(`${first.descending ? "-" : ""}${by}`)}`);
  } else if (first && !isDate) left.push(`Ordering by ${first.column} is left out: a chart orders by its labels or values.`);
  if (more.length > 0) left.push(`Ordering by ${more.map((each) => each.column).join(", ")} too is left out.`);
  if (query.limit === undefined || query.limit === null) return lines;
  if (isLargest && label !== undefined && !isDate && query.group_by.length === 1 && query.limit <= 1000) {
    lines.push(`top = ${query.limit}`);
  } else {
    left.push(`“At most ${query.limit}” is left out: a chart can only show the largest values of what it is grouped by.`);
  }
  return lines;
}

function datesOf({ start, end }, roles, left) {
  if (!start && !end) {
    if (roles.date) left.push("Its dates are those of the dashboard’s page; here it was all of them.");
    return [];
  }
  return [`dates = { start = ${toml(start ?? "0001-01-01")}, end = ${toml(end ?? "9999-12-31")} }`];
}

function conditionsOf(query, roles, left) {
  if (query.organization) {
    left.push(`It isn’t narrowed to the organization ${query.organization}: whoever looks at the dashboard chooses that.`);
  }
  const all = [...(query.where ?? [])];
  for (const name of ["practices", "providers"]) {
    if (query[name]) all.push({ column: roles[name.slice(0, -1)], op: "in", value: query[name] });
  }
  const kept = all.filter((each) => {
    const why = tooMuch(each);
    if (why) left.push(`The condition on ${each.column} is left out: ${why}.`);
    return !why;
  });
  for (const each of kept.splice(MOST.conditions)) {
    left.push(`The condition on ${each.column} is left out: a chart has at most ${MOST.conditions}.`);
  }
  if (kept.length === 0) return [];
  const written = kept.map(({ column, op, value }) => toml(isBare(op) ? [column, op] : [column, op, value]));
  return ["where = [", ...written.map((each) => `  ${each},`), "]"];
}

function tooMuch({ value }) {
  const values = [value].flat();
  if (values.some(isNull)) return "a chart’s lists can’t hold NULL";
  if (values.length > MOST.values) return `a chart’s lists hold at most ${MOST.values} values`;
  if (values.some((each) => String(each).length > MOST.text)) return `a chart’s values have at most ${MOST.text} characters`;
  return null;
}

function formatOf({ kind, currency }) {
  return currency ? `{ kind = ${toml(kind)}, currency = ${toml(currency)} }` : toml(kind);
}

function identifier(title) {
  return title.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 60).replace(/^-+|-+$/g, "") || "chart";
}

/** A comment is one line. */
function plain(text) {
  return text.replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}

function toml(value) {
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}
