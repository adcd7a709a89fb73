// What is asked, and how it is shown, in the address of the page. Pure.

/** A query in an address that can't be read; says why. */
export class Unreadable extends Error {}

/**
 * What an address asks for.
 *
 * @param {string} search of a location
 * @returns {{query: object | null, show: string, format: string}}
 * @throws {Unreadable}
 */
export function stateOf(search) {
  const parameters = new URLSearchParams(search);
  const text = parameters.get("q");
  return {
    query: text === null ? null : queryOf(text),
    show: parameters.get("show") ?? "",
    format: parameters.get("format") ?? "",
  };
}

function queryOf(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Unreadable("the query in the address isn’t JSON; it may have been cut off on its way");
  }
  if (found === null || typeof found !== "object" || Array.isArray(found)) {
    throw new Unreadable("the query in the address is no object of fields, as {\"datasource\": 1} is");
  }
  return found;
}

/** The address of what is asked, and of how it is shown. */
export function addressOf({ query, show, format }) {
  const parameters = new URLSearchParams({ q: JSON.stringify(query) });
  if (show) parameters.set("show", show);
  if (format) parameters.set("format", format);
  return `/explore?${parameters}`;
}
