// A query, as a form holds it and as the service takes it. Pure.

const WITHOUT_VALUE = new Set(["is_null", "not_null"]);
const WITH_LIST = new Set(["in", "not_in", "between"]);

/** Whether an operator takes no value. */
export function isBare(op) {
  return WITHOUT_VALUE.has(op);
}

/** Whether an operator takes several values. */
export function isListed(op) {
  return WITH_LIST.has(op);
}

/**
 * A condition as the service takes it, from what was typed.
 *
 * One value is taken as it stands, or from between quotes; of several each is, between commas.
 */
export function conditionOf(column, op, text) {
  if (isBare(op)) return { column, op };
  if (isListed(op)) return { column, op, value: valuesOf(text) };
  const quoted = /^"(?:[^"]|"")*"$/.test(text);
  return { column, op, value: quoted ? text.slice(1, -1).replaceAll('""', '"') : text };
}

/** What somebody would have typed for a condition's value. */
export function typed(op, value) {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(quoted).join(", ");
  const text = String(value);
  return text === "" || /^".*"$/s.test(text) ? quoted(text) : text;
}

/**
 * What stands between commas. Quotes keep commas and spaces, `NULL` without quotes is a row without
 * a value.
 */
export function valuesOf(text) {
  const found = [];
  for (const [, inQuotes, plain] of text.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,]*))\s*(?:,|$)/g)) {
    if (inQuotes !== undefined) found.push(inQuotes.replaceAll('""', '"'));
    else if (plain.trim() === "NULL") found.push({ null: true });
    else if (plain.trim() !== "") found.push(plain.trim());
  }
  return found;
}

function quoted(value) {
  if (isNull(value)) return "NULL";
  const text = String(value);
  const isPlain = text !== "" && text.trim() === text && !/[",]/.test(text) && text !== "NULL";
  return isPlain ? text : `"${text.replaceAll('"', '""')}"`;
}

/** Whether a measure, a frequency or a value names rows without one. */
export function isNull(value) {
  return value !== null && typeof value === "object" && value.null === true;
}

/** The name of a measure or a frequency for people. */
export function nameOf(name) {
  if (name === undefined || name === null) return "";
  return isNull(name) ? "(none)" : String(name);
}

/** A query in a few words. */
export function titleOf(query) {
  const what = [nameOf(query.measure), nameOf(query.frequency)].filter(Boolean).join(", ") || "Rows";
  const groups = query.group_by ?? [];
  if (!query.aggregate) return what;
  const by = groups.length > 0 ? ` by ${groups.slice(0, -1).join(", ")}${groups.length > 1 ? " and " : ""}${groups.at(-1)}` : "";
  return `${what}: ${query.aggregate}${by}`;
}

/** An order as the pair of column and direction; null for what is none. */
export function orderOf(order) {
  if (typeof order === "string") {
    const isDescending = order.startsWith("-");
    return { column: isDescending ? order.slice(1) : order, descending: isDescending };
  }
  if (order === null || typeof order !== "object" || typeof order.column !== "string") return null;
  return { column: order.column, descending: order.descending === true };
}

/** Two queries that ask the same have the same text. */
export function canonical(query) {
  const plain = (value) => (Array.isArray(value) ? value.map(plain) : isNull(value) ? value : String(value));
  const found = {};
  for (const name of Object.keys(query).sort()) {
    const value = query[name];
    if (value === null || value === undefined) continue;
    if (["where", "group_by", "order_by"].includes(name) && value.length === 0) continue;
    if (name === "where" && Array.isArray(value)) {
      found.where = value.map((each) => ({
        column: each?.column,
        op: each?.op,
        ...(isBare(each?.op) ? {} : { value: plain(each?.value ?? null) }),
      }));
    } else if (name === "order_by" && Array.isArray(value)) found.order_by = value.map(orderOf);
    else if (name === "measure" || name === "frequency") found[name] = plain(value);
    else found[name] = ["practices", "providers"].includes(name) ? plain(value) : value;
  }
  return JSON.stringify(found);
}
