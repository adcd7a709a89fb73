// The card of a data source: how it is, and what it holds.

import { count, duration, latency, percent, shortCount, size } from "./admin-format.js";
import { element } from "./dom.js";
import { moment } from "./format.js";

const BADGES = { fresh: "good", stale: "warn", damaged: "bad", disabled: "warn", cold: "", "never warmed": "" };
const DIALS = { excellent: "good", good: "good", degraded: "warn", stale: "warn", cold: "bad" };
const PARTS = {
  age: ["Age", "1 while fresh, falling to 0 when the snapshot may no longer serve"],
  hit_rate: ["Hit rate", "the share of answers that came from the cache since the warm"],
  completeness: ["Completeness", "the share of the snapshot’s entries that were found to be there"],
  coverage: ["Coverage", "whether a snapshot can serve"],
};
const REASONS = {
  cold: "since it is cold",
  aging: "before the snapshot is too old",
  scheduled: "by its schedule",
  damage: "since it is damaged",
};
const AROUND = 2 * Math.PI * 42;

/**
 * What stands in a card.
 *
 * @param {{stats: object, health: object, latest: object | null, summary: object | null}} told
 * @param {Node[]} actions buttons of whoever may act
 */
export function cardOf(told, actions) {
  const { stats, health } = told;
  const state = element(`span.badge.${BADGES[stats.state] || "plain"}`, {}, stats.state);
  const head = element(
    "div.source-head",
    {},
    element("h2", { id: `source-${stats.datasource}` }, stats.name),
    state,
    actions.length ? element("div.source-actions", {}, ...actions) : null,
  );
  const isLive = stats.snapshot !== null;
  return [head, wellness(health), isLive ? life(stats) : cold(health), facts(told)];
}

function cold(health) {
  const why = health.why ?? "no snapshot can serve";
  return element(
    "p.why-cold",
    {},
    `Cold: ${why}. Until it is warm, the database answers; figures that nobody has measured are shown as “–”.`,
  );
}

function wellness(health) {
  const dial = element(`div.dial.${DIALS[health.state]}`, {
    role: "img",
    "aria-label": `Health ${health.score} of 100: ${health.state}`,
  });
  const svg = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  };
  const ring = { cx: 50, cy: 50, r: 42, fill: "none", "stroke-width": 9, "stroke-linecap": "round" };
  const picture = svg("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" });
  picture.append(svg("circle", { ...ring, class: "track" }));
  if (health.score > 0) {
    const reached = `${(AROUND * health.score) / 100} ${AROUND}`;
    picture.append(svg("circle", { ...ring, class: "reached", "stroke-dasharray": reached }));
  }
  dial.append(
    picture,
    element(
      "div.number",
      { "aria-hidden": "true" },
      element("strong", {}, String(health.score)),
      element("small", {}, health.state),
    ),
  );
  const parts = Object.entries(PARTS).map(([name, [label, hint]]) => {
    const value = health.parts[name];
    return element(
      "div.part",
      { title: value === null ? `${hint}; not measured yet, and counts for nothing` : hint },
      element("span", {}, label),
      bar(value ?? 0),
      element("span.number", {}, percent(value)),
    );
  });
  return element(
    "div.wellness",
    {},
    element("div.score", {}, dial),
    element("div.parts", { role: "group", "aria-label": "Parts of the health" }, ...parts),
  );
}

/** A bar that says nothing to a screen reader, since its figure stands beside it. */
export function bar(share, kind = "") {
  const done = element("div");
  done.style.inlineSize = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return element(kind ? `div.bar.${kind}` : "div.bar", { "aria-hidden": "true" }, done);
}

function life(stats) {
  const asOf = Date.parse(stats.as_of);
  const now = asOf + stats.age_seconds * 1000;
  const fresh = Date.parse(stats.fresh_until);
  const share = (now - asOf) / Math.max(1, fresh - asOf);
  const left = (fresh - now) / 1000;
  const serves = (Date.parse(stats.serve_until) - now) / 1000;
  const text =
    left > 0
      ? `fresh for another ${duration(left)}`
      : `stale; may serve for another ${duration(Math.max(0, serves))}`;
  return element(
    "div.life",
    {},
    element(
      "p",
      {},
      element("span", {}, `as of ${moment(stats.as_of)}, ${duration(stats.age_seconds)} old`),
      element("span", {}, text),
    ),
    bar(share, share < 0.8 ? "" : share < 1 ? "warn" : "bad"),
  );
}

/** What the workers do about it, or why they do nothing. */
function upkeep(stats) {
  if (stats.worker === null) return "no worker looks after it";
  if (stats.held !== null) return `when asked for: ${stats.held}`;
  if (stats.failures) return `failed ${count(stats.failures)} times: ${stats.last_error}`;
  const damaged = stats.damaged ? `; ${count(stats.damaged)} parts are damaged` : "";
  return `${REASONS[stats.next_reason] ?? stats.next_reason}${damaged}`;
}

/** When the last verification was, and whether it was of another snapshot. */
function verified(stats) {
  const other = stats.verified_snapshot === stats.snapshot ? "" : ", of another snapshot";
  return `${duration(stats.verified_age_seconds)} ago${other}`;
}

function facts({ stats, latest, summary }) {
  const isLive = stats.snapshot !== null;
  const written = isLive ? stats.entry_bytes + stats.index_bytes + stats.sums_bytes : null;
  const memory = isLive && latest && latest.entries === stats.entries ? latest.memory_bytes : null;
  const measured = "measured once a minute";
  const asked = summary?.queries ? `${shortCount(summary.queries)} in the last hour` : "nothing asked in the last hour";
  const isAsked = Boolean(summary?.queries);
  const hits = stats.hits === null ? null : `${count(stats.hits)} of ${count(stats.hits + stats.misses)} since the warm`;
  const all = [
    ["Entries", count(stats.entries), isLive ? `${count(stats.partitions)} partitions` : null],
    ["Rows", count(stats.rows), isLive ? `${stats.first_date ?? "–"} to ${stats.last_date ?? "–"}` : null],
    ["Memory", size(memory), isLive ? (memory === null ? measured : `${size(written)} written`) : null],
    [
      "Index",
      written ? percent(stats.index_bytes / written) : "–",
      isLive ? `${count(stats.index_sets)} sets` : null,
    ],
    ["Measures", count(stats.measures), isLive ? `${count(stats.frequencies)} frequencies` : null],
    ["Practices", count(stats.practices), null],
    ["Providers", count(stats.providers), null],
    ["Hit rate", percent(stats.hit_rate), stats.hit_rate === null ? (isLive ? "nothing asked since the warm" : null) : hits],
    ["Median latency", latency(summary?.median_ms), asked],
    ["Next warm", stats.next_warm === null ? "–" : moment(stats.next_warm), upkeep(stats)],
    ["Verified", stats.verdict ?? "–", stats.verdict === null ? null : verified(stats)],
    ["95 % within", latency(summary?.p95_ms), isAsked ? "in the last hour" : null],
  ];
  return element(
    "dl.facts",
    {},
    ...all.map(([name, value, note]) =>
      element(
        "div",
        {},
        element("dt", {}, name),
        element("dd", { "data-fact": name }, value, note ? element("small", {}, note) : null),
      ),
    ),
  );
}
