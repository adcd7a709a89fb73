// The filters of a page, in its address: a link shows the same to somebody else, within their rights.
// Pure.

const NULL = "~";

/**
 * What an address says.
 *
 * @param {string} search of a location
 * @returns {object} as the service takes filters
 */
export function filtersOf(search) {
  const parameters = new URLSearchParams(search);
  const filters = { where: {} };
  for (const name of ["preset", "start", "end", "organization"]) {
    if (parameters.get(name)) filters[name] = parameters.get(name);
  }
  for (const name of ["practices", "providers"]) {
    if (parameters.has(name)) filters[name] = parameters.getAll(name).flatMap(idsOf);
  }
  for (const name of new Set(parameters.keys())) {
    if (name.startsWith("where.")) {
      filters.where[name.slice(6)] = parameters.getAll(name).filter((each) => each !== "").map(valueOf);
    }
  }
  return filters;
}

/** Ids stand with commas between them; one that has a comma is percent-encoded once more. */
function idsOf(text) {
  return text.split(",").filter((each) => each !== "").map(decoded);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function valueOf(text) {
  if (text === NULL) return null;
  return text.startsWith(NULL) ? text.slice(1) : text;
}

function textOf(value) {
  if (value === null) return NULL;
  const text = String(value);
  return text.startsWith(NULL) ? NULL + text : text;
}

/**
 * The address of some filters, on a path.
 *
 * @param {string} path of the page
 * @param {object} filters as the service takes them
 */
export function addressOf(path, filters) {
  const parts = [];
  const add = (name, value) => parts.push(`${encodeURIComponent(name)}=${value}`);
  for (const name of ["preset", "start", "end", "organization"]) {
    if (filters[name]) add(name, encodeURIComponent(filters[name]));
  }
  for (const name of ["practices", "providers"]) {
    const ids = filters[name];
    if (ids) add(name, ids.map((id) => encodeURIComponent(encodedOnce(String(id)))).join(","));
  }
  for (const [column, values] of Object.entries(filters.where ?? {})) {
    if (values.length === 0) add(`where.${column}`, "");
    for (const value of values) add(`where.${column}`, encodeURIComponent(textOf(value)));
  }
  return parts.length > 0 ? `${path}?${parts.join("&")}` : path;
}

function encodedOnce(id) {
  return id.replace(/[%,]/g, encodeURIComponent);
}

/** The viewer's time zone, in which presets are resolved. */
export function timeZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || null;
}
