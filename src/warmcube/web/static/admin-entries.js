// The tab of entries: which ones a partition has, and one of them as it lies in the store.

import { bar } from "./admin-cards.js";
import { count, duration, percent, size } from "./admin-format.js";
import { json, post, sentence } from "./api.js";
import { element } from "./dom.js";
import { moment } from "./format.js";

const PREFIX = "/api/admin/analytics/cache";
const ROLES = ["practice", "provider"];
const PROOFS = {
  counts: "the partition’s counts are whole",
  practice: "the practice’s index set has it",
  provider: "the provider’s index set has it",
  entry: "its value is whole, and its own",
};
const EXACT = new Set(["Snapshot", "Partition’s version", "Header: practice", "Header: provider"]);
const byId = (id) => document.getElementById(id);

/** Fill the tab. */
export function openEntries(data) {
  const tab = new EntriesTab(data);
  tab.chooseDatasource();
  return null;
}

class EntriesTab {
  constructor(data) {
    this.data = data;
    this.partitions = [];
    this.cursor = null;
    const options = data.datasources.map((each) => element("option", { value: String(each.id) }, each.name));
    byId("entry-datasource").append(...options);
    byId("entry-datasource").addEventListener("change", () => this.chooseDatasource());
    byId("entry-partition").addEventListener("change", () => this.list());
    byId("entry-more").addEventListener("click", () => this.list(this.cursor));
    for (const role of ROLES) {
      byId(`entry-${role}-null`).addEventListener("change", (event) => {
        byId(`entry-${role}`).disabled = event.target.checked;
      });
    }
    byId("inspect").addEventListener("submit", (event) => {
      event.preventDefault();
      this.inspect();
    });
  }

  get datasource() {
    const id = Number(byId("entry-datasource").value);
    return this.data.datasources.find((each) => each.id === id);
  }

  /** Read which partitions its snapshot has. */
  async chooseDatasource() {
    const { datasource } = this;
    for (const role of ROLES) byId(`entry-${role}`).closest(".field").hidden = !datasource[`has_${role}`];
    await this.#attempt(async () => {
      const found = await json(`${PREFIX}/partitions?datasource=${datasource.id}`);
      this.partitions = found.datasources[0].partitions;
      const named = (each) => [each.measure, each.frequency].map((text) => text ?? "NULL").join(" · ");
      byId("entry-partition").replaceChildren(
        ...this.partitions.map((each, n) => element("option", { value: String(n) }, named(each))),
      );
      await this.list();
    });
  }

  /** Show the entries of the partition, or further ones. */
  async list(cursor = null) {
    const partition = this.partitions[Number(byId("entry-partition").value)];
    const list = byId("entry-list");
    if (!partition) {
      byId("partition-hint").textContent = "No snapshot is live; warm it first.";
      list.replaceChildren();
      byId("entry-more").hidden = true;
      return;
    }
    byId("partition-hint").textContent =
      `${count(partition.entries)} entries, ${count(partition.rows)} rows, ${size(partition.entry_bytes)}`;
    await this.#attempt(async () => {
      const page = await post(`${PREFIX}/entries`, { ...this.#partition(partition), cursor });
      const items = page.entries
        .filter((each) => each.part === 0)
        .map((each) => element("li", {}, this.#pick(each)));
      if (cursor) list.append(...items);
      else list.replaceChildren(...items);
      this.cursor = page.cursor;
      byId("entry-more").hidden = page.cursor === null;
    });
  }

  /** Look at the entry that the form names. */
  async inspect() {
    const partition = this.partitions[Number(byId("entry-partition").value)];
    if (!partition) return;
    const named = {};
    for (const role of ROLES) {
      if (!this.datasource[`has_${role}`]) continue;
      named[role] = byId(`entry-${role}-null`).checked ? { null: true } : byId(`entry-${role}`).value || null;
    }
    const rows = byId("entry-rows")?.checked ?? false;
    this.#mark(named);
    byId("inspected").setAttribute("aria-busy", "true");
    await this.#attempt(async () => {
      const found = await post(`${PREFIX}/entry`, { ...this.#partition(partition), ...named, rows });
      byId("inspected").replaceChildren(...described(found));
    });
    byId("inspected").removeAttribute("aria-busy");
  }

  #partition(partition) {
    const name = (text) => (text === null ? { null: true } : text);
    return {
      datasource: this.datasource.id,
      measure: name(partition.measure),
      frequency: name(partition.frequency),
    };
  }

  #pick(entry) {
    const text = ROLES.filter((role) => this.datasource[`has_${role}`])
      .map((role) => `${role} ${entry[role] ?? "NULL"}`)
      .join(", ");
    const choose = () => {
      for (const role of ROLES) {
        byId(`entry-${role}`).value = entry[role] ?? "";
        byId(`entry-${role}-null`).checked = entry[role] === null;
        byId(`entry-${role}`).disabled = entry[role] === null;
      }
      this.inspect();
    };
    const attributes = { type: "button", "data-practice": entry.practice ?? "~", "data-provider": entry.provider ?? "~" };
    return element("button.pick", { ...attributes, onclick: choose }, text || "the one entry");
  }

  #mark(named) {
    const text = (value) => (value !== null && typeof value === "object" ? "~" : value);
    for (const each of byId("entry-list").querySelectorAll(".pick")) {
      const isIt = ROLES.every((role) => !(role in named) || each.dataset[role] === text(named[role]));
      each.setAttribute("aria-current", String(isIt));
    }
  }

  async #attempt(work) {
    try {
      await work();
    } catch (error) {
      byId("inspected").replaceChildren(element("div.notice.bad", { role: "alert" }, error.message));
    }
  }
}

function described(found) {
  const badge = found.is_proven
    ? element("span.badge.good", {}, "proven")
    : found.is_proven === false
      ? element("span.badge.bad", {}, "damaged")
      : element("span.badge", {}, "not there");
  const head = element("div.found-head", {}, element("h2", {}, found.exists ? "Entry" : "No such entry"), badge);
  const why = found.why ? element("p", {}, sentence(found.why)) : null;
  const parts = [head, why];
  if (Object.keys(found.proofs).length) parts.push(proofs(found.proofs));
  if (found.exists) {
    parts.push(...found.parts.map((part) => element("code.key", {}, part.key)), facts(found), sizes(found));
  }
  if (found.data) parts.push(rows(found.data));
  return parts.filter(Boolean);
}

function proofs(told) {
  return element(
    "ul.proofs",
    { "aria-label": "Proofs" },
    ...Object.entries(told).map(([name, outcome]) => {
      const isFine = outcome === "ok";
      return element(
        isFine ? "li" : "li.is-wrong",
        {},
        element("span.mark", { "aria-hidden": "true" }, isFine ? "✓" : "✗"),
        element("span", {}, isFine ? PROOFS[name] : sentence(outcome)),
      );
    }),
  );
}

function facts(found) {
  const [first] = found.parts;
  const memory = found.parts.every((part) => part.memory_bytes !== null)
    ? found.parts.reduce((sum, part) => sum + part.memory_bytes, 0)
    : null;
  const when = (milliseconds) => moment(new Date(milliseconds).toISOString());
  const all = [
    ["Rows", count(found.rows)],
    ["Value", size(found.bytes)],
    ["Memory", size(memory)],
    ["Record", size(found.record_bytes)],
    ["Parts", count(found.parts.length)],
    ["Expires in", duration(first.expires_seconds)],
    ["As of", when(found.as_of)],
    ["Fresh until", when(found.fresh_until)],
    ["Header: practice", first.practice_code === null ? "–" : String(first.practice_code)],
    ["Header: provider", first.provider_code === null ? "–" : String(first.provider_code)],
    ["Seal", found.seal],
    ["Snapshot", found.snapshot],
    ["Partition’s version", found.version],
  ];
  return element(
    "dl.facts",
    {},
    ...all.map(([name, value]) =>
      element(
        "div",
        {},
        element("dt", {}, name),
        element(EXACT.has(name) ? "dd.exact" : "dd", { "data-fact": name }, value),
      ),
    ),
  );
}

function sizes({ columns, bytes }) {
  const section = element("div.sizes", {}, element("h3", {}, "What its columns take"));
  if (!columns.length) section.append(element("p.muted", {}, "Nothing: all of its columns are in the key, or it can’t be read."));
  const whole = Math.max(1, bytes ?? 1);
  for (const each of columns) {
    section.append(
      element(
        "div.size",
        { title: `${each.type}, in the ${each.storage === "behind" ? "texts behind the records" : each.storage}; ${percent(each.bytes / whole)} of the value` },
        element("span.name", {}, each.name),
        bar(each.bytes / whole),
        element("span.number", {}, size(each.bytes)),
      ),
    );
  }
  return section;
}

function rows(data) {
  const head = data.columns.map((name) => element("th", { scope: "col" }, name));
  const body = data.rows.map((row) =>
    element("tr", {}, ...row.map((text) => (text === null ? element("td.muted", {}, "NULL") : element("td", {}, text)))),
  );
  const text =
    data.total > data.rows.length
      ? `The first ${count(data.rows.length)} of ${count(data.total)} rows`
      : `${count(data.total)} rows`;
  return element(
    "div",
    {},
    element("h3", {}, text),
    element(
      "div.table-scroll.jobs",
      { tabindex: "0", role: "region", "aria-label": "Rows of the entry" },
      element("table.table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)),
    ),
  );
}
