// A query as a call of the service from a shell. Pure.

/**
 * A command that asks the same; the token is the caller's own.
 *
 * @param {object} query as the service takes it
 * @param {string} origin of the service
 */
export function asCurl(query, origin) {
  return [
    `curl --silent --show-error --fail-with-body ${word(`${origin}/api/query`)} \\`,
    '  --header "Authorization: Bearer $TOKEN" \\',
    "  --header 'Content-Type: application/json' \\",
    `  --data-raw ${word(JSON.stringify(query))}`,
    "",
  ].join("\n");
}

/** A word of a POSIX shell. */
function word(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
