// How an answer came about, as a story: why it was allowed, what was looked up, fetched, computed, and
// how long each step took.

import { element } from "./dom.js";
import { count, moment, NOTHING } from "./format.js";

const SHOWN = 12;
const STEPS = {
  wait: "Waited for its turn",
  lookup: "Looked up in the index",
  fetch: "Fetched",
  decode: "Decoded",
  load: "Loaded",
  evaluate: "Filtered and added up",
  database: "Asked the database",
};
const ORIGINS = {
  store: "Redis, where it lies warm",
  resident: "the memory of the service, where it lies warm",
  database: "the database itself",
};

/**
 * @param {{explain: object, meta: object}} answer
 * @param {number} there milliseconds from asking to having it, here
 * @returns {HTMLElement[]}
 */
export function storyOf({ explain, meta }, there) {
  const steps = [
    step("Why you may see it", ...explain.reasons.map(reason), ...(explain.reasons.length === 0 ? [said("Nothing of what you may read is in the scope.")] : [])),
    step("What was in the scope", scope(explain), unusable(explain)),
    step("What was looked up", lookup(explain)),
    step("What came of it", result(explain, meta)),
    step("How long it took", timings(explain.timings), said(`From asking to having it here it took ${milliseconds(there)}.`)),
  ];
  return [element("ol.story", {}, ...steps)];
}

function step(title, ...parts) {
  return element("li", {}, element("div.story-body", {}, element("h3", {}, title), ...parts));
}

function said(text) {
  return element("p", {}, text);
}

/** One reason as a chain: role, permission, organizations, practices, providers. */
function reason({ because, organizations, practices, providers }) {
  const rights = because.flatMap(({ role, permission, organization, expires }) => [
    link("role", organization ? `${role} in ${organization}` : role),
    link("permission", permission),
    ...(expires ? [link("until", moment(expires))] : []),
  ]);
  return element(
    "ol.chain",
    {},
    ...rights,
    link("organizations", listed(organizations)),
    link("practices", listed(practices)),
    link("providers", listed(providers)),
  );
}

function link(name, value) {
  return element("li", {}, element("span.name", {}, name), element("span.value", {}, value));
}

function listed(ids) {
  if (!Array.isArray(ids)) return "all";
  if (ids.length === 0) return "none";
  const rest = ids.length - SHOWN;
  return `${ids.slice(0, SHOWN).join(", ")}${rest > 0 ? ` and ${count(rest)} more` : ""}`;
}

function scope({ practices, providers, boxes, partition }) {
  const about = Object.values(partition).filter((name) => name !== null);
  const of = about.length > 0 ? ` of ${about.map((name) => `“${name}”`).join(", ")}` : "";
  if (boxes === 0) return said("Nothing: your rights and the query have no rows in common.");
  const some = (number, what) => (number === null ? `all ${what}s` : plural(number, what));
  const parts = boxes === 1 ? "" : `, in ${count(boxes)} parts`;
  return said(`Your rights, narrowed by the query: ${some(practices, "practice")} and ${some(providers, "provider")}${of}${parts}.`);
}

function unusable({ unusable_ids: ids }) {
  if (ids.length === 0) return null;
  return said(`The directory also names ids that the columns can’t hold, and that grant nothing here: ${listed(ids)}.`);
}

function lookup(explained) {
  const { origin, why_database: why, index_sets: sets, whole_partition: isWhole, members, entries, sums, trips } = explained;
  if (origin === "database") return said(`The cache couldn’t answer${why ? `: ${why}` : ""}. The database was asked instead, under the same rights.`);
  if (origin === "resident") {
    const there = members === 1 ? "1 entry" : `${count(members)} entries`;
    return said(`The service has them in its memory, by practice and provider: ${there} in the scope, and nothing had to be fetched. Nothing outside of the scope was touched.`);
  }
  const index = sets === null ? "The index" : `${plural(sets, "index set")}${isWhole ? " (that of the whole partition)" : ""}`;
  const named = `${index} named ${members === 1 ? "1 entry" : `${count(members)} entries`} in the scope`;
  const fetched = sums > 0 ? `${plural(sums, "practice sum")}${entries > sums ? ` and ${count(entries - sums)} of them` : ""} were fetched in their place, ${bytes(explained.bytes_fetched)}`
    : entries === 0 ? "none had to be fetched" : `${entries === members ? "all" : count(entries)} of them were fetched, ${bytes(explained.bytes_fetched)}`;
  const how = trips === null ? "" : `, in ${plural(trips, "trip")} to the store`;
  if (members === 0) return said(`${named}, so there was nothing to fetch.`);
  return said(`${named}; ${fetched}${how}. Nothing outside of the scope was touched.`);
}

function result({ rows_fetched: fetched, rows }, meta) {
  const stale = meta.stale ? ", which is older than it should be" : "";
  const from = `From ${ORIGINS[meta.origin] ?? meta.origin}`;
  const asOf = meta.as_of ? `, as of ${moment(meta.as_of)}${stale}` : "";
  const snapshot = meta.snapshot ? ` (snapshot ${meta.snapshot})` : "";
  return said(`${from}${asOf}${snapshot}: ${plural(fetched, "row")} made ${plural(rows, "row")} of the answer.`);
}

function timings(steps) {
  const { total, ...parts } = steps;
  const most = Math.max(total ?? 0, ...Object.values(parts), 0.001);
  const bars = Object.entries(parts).map(([name, took]) => {
    const bar = element("span.timing-bar", { "aria-hidden": "true" });
    bar.style.setProperty("--share", String(took / most));
    return element("div.timing", {}, element("dt", {}, STEPS[name] ?? name), element("dd", {}, bar, element("span.number", {}, milliseconds(took))));
  });
  const sum = element("div.timing.total", {}, element("dt", {}, "In all, on the server"), element("dd", {}, element("span"), element("span.number", {}, total === undefined ? NOTHING : milliseconds(total))));
  return element("dl.timings", {}, ...bars, sum);
}

function milliseconds(number) {
  return `${number.toFixed(number < 10 ? 2 : 0)} ms`;
}

function plural(number, what) {
  return `${count(number)} ${what}${number === 1 ? "" : "s"}`;
}

function bytes(number) {
  const units = ["bytes", "kB", "MB", "GB"];
  const power = Math.min(units.length - 1, number < 1000 ? 0 : Math.floor(Math.log10(number) / 3));
  return `${(number / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
