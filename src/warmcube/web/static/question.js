// A query in the forms in which somebody takes it along. Nothing here touches the page.

const WITHOUT_VALUE = new Set(["is_null", "not_null"]);
const WITH_LIST = new Set(["in", "not_in", "between"]);

/** A condition as the API takes it, from what was typed; null for one that isn't finished. */
export function conditionOf(column, op, text) {
  if (WITHOUT_VALUE.has(op)) return { column, op };
  if (text.trim() === "") return null;
  return { column, op, value: WITH_LIST.has(op) ? listOf(text) : text.trim() };
}

/** What stands between commas; null for nothing. */
export function listOf(text) {
  const found = text
    .split(",")
    .map((each) => each.trim())
    .filter(Boolean);
  return found.length ? found : null;
}

/** A query as Python. */
export function asPython(query) {
  const { where = [], ...rest } = query;
  const fields = Object.entries(rest).map(([name, value]) => `        ${name}=${python(value)},`);
  if (where.length) {
    const filters = where.map((each) =>
      WITHOUT_VALUE.has(each.op)
        ? `Filter(${python(each.column)}, ${python(each.op)})`
        : `Filter(${python(each.column)}, ${python(each.op)}, ${python(each.value)})`,
    );
    fields.push(`        where=[${filters.join(", ")}],`);
  }
  return [
    "from warmcube import AnalyticsCache, Filter, Query",
    "",
    'async with AnalyticsCache.from_config("warmcube.toml") as cache:',
    '    grant = await cache.authorize("…")  # whose rights count',
    "    result = await cache.query(",
    "        Query(",
    ...fields.map((line) => `    ${line}`),
    "        ),",
    "        grant,",
    "    )",
    "    print(result.to_polars())",
  ].join("\n");
}

/** A query as a call of the API. */
export function asCurl(query, origin) {
  const body = JSON.stringify({ ...query, format: "rows" });
  return [
    `curl -s ${shell(`${origin}/api/query`)} \\`,
    '  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\',
    `  -d ${shell(body)}`,
  ].join("\n");
}

/** A query as a chart of a dashboard's file. */
export function asChart(query, type, title) {
  const [label, split] = query.group_by ?? [];
  const lines = ["[[charts]]", `id = ${toml(identifier(title))}`, `title = ${toml(title)}`];
  lines.push(`type = ${toml(query.group_by?.length ? type : "number")}`);
  if (query.measure !== undefined) lines.push(`measure = ${toml(query.measure)}`);
  if (query.frequency !== undefined) lines.push(`frequency = ${toml(query.frequency)}`);
  lines.push(`aggregate = ${toml(query.aggregate ?? "sum")}`);
  if (label) lines.push(`group_by = ${toml(label)}`);
  if (split) lines.push(`split_by = ${toml(split)}`);
  for (const { column, op, value } of query.where ?? []) {
    lines.push("[[charts.where]]", `column = ${toml(column)}`, `op = ${toml(op)}`);
    if (value !== undefined) lines.push(`value = ${toml(value)}`);
  }
  return lines.join("\n");
}

function identifier(title) {
  return title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "") || "chart";
}

/** As Python writes it: JSON's texts are Python's too, but for what lies beyond 16 bits. */
function python(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") return "NULL";
  return JSON.stringify(value);
}

function toml(value) {
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  return JSON.stringify(value).replace(/\u007f/g, "\\u007f");
}

function shell(text) {
  return `'${text.replace(/'/g, `'\\''`)}'`;
}
