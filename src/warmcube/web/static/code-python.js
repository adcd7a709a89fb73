// A query as a Python script. Pure.

import { isBare, isNull } from "./question.js";

/**
 * A script that asks the same, and prints the answer.
 *
 * @param {object} query as the service takes it
 * @param {string} user whose rights count
 */
export function asPython(query, user) {
  const { where = [], ...rest } = query;
  const fields = Object.entries(rest)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${name === "order_by" ? orders(value) : literal(value)},`);
  if (where.length > 0) fields.push("where=[", ...where.map((each) => `    ${condition(each)},`), "],");
  const text = fields.join("\n");
  const names = ["AnalyticsCache", "Query"];
  if (where.length > 0) names.push("Filter");
  if (/\bNULL\b/.test(unquoted(text))) names.unshift("NULL");
  if (/\bOrder\(/.test(unquoted(text))) names.push("Order");
  return [
    "import asyncio",
    "",
    `from warmcube import ${names.sort(byCase).join(", ")}`,
    "",
    "",
    "async def main() -> None:",
    '    async with AnalyticsCache.from_config("warmcube.toml") as cache:',
    `        grant = await cache.authorize(${literal(user)})  # whose rights count`,
    "        query = Query(",
    ...fields.map((line) => `            ${line}`),
    "        )",
    "        result = await cache.query(query, grant)",
    "        print(result.to_polars())",
    "",
    "",
    "asyncio.run(main())",
    "",
  ].join("\n");
}

function condition({ column, op, value }) {
  const parts = isBare(op) ? [column, op] : [column, op, value];
  return `Filter(${parts.map(literal).join(", ")})`;
}

function orders(given) {
  const made = given.map((each) =>
    typeof each === "string" ? literal(each) : `Order(${literal(each.column)}, descending=${literal(each.descending === true)})`,
  );
  return `[${made.join(", ")}]`;
}

/** As Python writes it. JSON's texts are Python's too; a number with a fraction stays exact as text. */
function literal(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (isNull(value)) return "NULL";
  if (typeof value === "number" && !Number.isInteger(value)) return JSON.stringify(String(value));
  return JSON.stringify(value);
}

/** Code without what its texts say. */
function unquoted(text) {
  return text.replace(/"(?:[^"\\]|\\.)*"/g, '""');
}

/** As a linter sorts what is imported: constants, then classes. */
function byCase(one, other) {
  const rank = (name) => (name === name.toUpperCase() ? 0 : 1);
  return rank(one) - rank(other) || (one < other ? -1 : 1);
}
