// The page on which one asks freely: a form becomes a query, its answer a chart, rows and reasons.

import { json, pageData, post, sentence } from "./api.js";
import { ChartView } from "./charts.js";
import { moment } from "./format.js";
import { asChart, asCurl, asPython, conditionOf, listOf } from "./question.js";
import { toast } from "./shell.js";

const SHOWN = 500;
const NUMERIC = /^(smallint|integer|bigint|numeric|real|double)/;
const data = pageData();
const byId = (id) => document.getElementById(id);
const form = byId("ask");

let measures = [];
let asked = null;
let codeForm = "python";
let running = null;
let chart = null;

if (form) start();

async function start() {
  chart = new ChartView(byId("picture"));
  options(byId("datasource"), data.datasources.map((each) => [String(each.id), each.name]));
  options(byId("aggregate"), [["", "none: rows"], ...data.aggregates.map((each) => [each, each])]);
  const organizations = data.organizations.map((each) => [each.id, each.name ?? each.id]);
  options(byId("organization"), [["", "all that you may see"], ...organizations]);
  byId("datasource").addEventListener("change", () => attempt(chooseDatasource));
  byId("measure").addEventListener("change", chooseMeasure);
  byId("aggregate").addEventListener("change", chooseAggregate);
  byId("add-condition").addEventListener("click", () => addCondition().focus());
  byId("chart-type").addEventListener("change", () => draw());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    history.replaceState(null, "", `/explore?q=${encodeURIComponent(JSON.stringify(queryOf()))}`);
    attempt(run);
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    location.assign("/explore");
  });
  tabs();
  byId("copy").addEventListener("click", copy);
  await attempt(async () => {
    const given = fromAddress();
    if (given?.datasource !== undefined) byId("datasource").value = String(given.datasource);
    await chooseDatasource();
    fill(given);
    await run();
  });
}

function datasource() {
  return data.datasources.find((each) => String(each.id) === byId("datasource").value);
}

/** The query of the address; null without one, or with one that can't be read. */
function fromAddress() {
  const text = new URLSearchParams(location.search).get("q");
  if (!text) return null;
  try {
    const found = JSON.parse(text);
    return found && typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    toast("The query in the address can’t be read; this is a new one.", "warn");
    return null;
  }
}

async function chooseDatasource() {
  const chosen = datasource();
  if (chosen.trouble) throw new Error(chosen.trouble);
  measures = (await json(`/api/datasources/${chosen.id}/measures`)).measures;
  const names = [...new Map(measures.map(({ measure }) => [JSON.stringify(measure), measure]))];
  options(byId("measure"), names.map(([key, name]) => [key, nameOf(name)]));
  const columns = chosen.columns.map((each) => [each.name, each.name]);
  options(byId("group-by"), [["", "nothing"], ...columns]);
  options(byId("split-by"), [["", "nothing"], ...columns]);
  const { practice, provider, date } = chosen.roles;
  byId("practices").disabled = !practice;
  byId("providers").disabled = !provider;
  byId("start").disabled = byId("end").disabled = !date;
  byId("organization").disabled = !practice;
  byId("conditions").replaceChildren();
  byId("aggregate").value = "sum";
  byId("group-by").value = date ?? "";
  byId("split-by").value = "";
  chooseMeasure();
  chooseAggregate();
}

function chooseMeasure() {
  const key = byId("measure").value;
  const found = measures.filter(({ measure }) => JSON.stringify(measure) === key);
  const before = byId("frequency").value;
  const names = found.map(({ frequency }) => [JSON.stringify(frequency), nameOf(frequency)]);
  options(byId("frequency"), names);
  if (names.some(([name]) => name === before)) byId("frequency").value = before;
}

function chooseAggregate() {
  const isGrouped = byId("aggregate").value !== "";
  byId("group-by").disabled = byId("split-by").disabled = !isGrouped;
  const columns = isGrouped ? groups().concat(byId("aggregate").value) : datasource().columns.map((each) => each.name);
  const both = columns.flatMap((name) => [
    [name, name],
    [`-${name}`, `${name}, descending`],
  ]);
  const before = byId("order").value;
  options(byId("order"), [["", "nothing"], ...both]);
  if (both.some(([name]) => name === before)) byId("order").value = before;
}
byId("group-by")?.addEventListener("change", chooseAggregate);
byId("split-by")?.addEventListener("change", chooseAggregate);

function groups() {
  if (byId("aggregate").value === "") return [];
  return [...new Set([byId("group-by").value, byId("split-by").value])].filter(Boolean);
}

/** What the form asks for, without what isn't narrowed. */
function queryOf() {
  const query = { datasource: Number(byId("datasource").value) };
  const { roles } = datasource();
  if (roles.measure && byId("measure").value) query.measure = JSON.parse(byId("measure").value);
  if (roles.frequency && byId("frequency").value) {
    query.frequency = JSON.parse(byId("frequency").value);
  }
  if (byId("organization").value) query.organization = byId("organization").value;
  for (const name of ["practices", "providers"]) {
    const ids = listOf(byId(name).value);
    if (ids && !byId(name).disabled) query[name] = ids;
  }
  for (const name of ["start", "end"]) {
    if (byId(name).value && !byId(name).disabled) query[name] = byId(name).value;
  }
  const where = [...byId("conditions").children]
    .map((row) => conditionOf(...["column", "op", "value"].map((name) => row.querySelector(`.${name}`).value)))
    .filter(Boolean);
  if (where.length) query.where = where;
  if (byId("aggregate").value) query.aggregate = byId("aggregate").value;
  if (groups().length) query.group_by = groups();
  if (byId("order").value) query.order_by = [byId("order").value];
  if (byId("limit").value) query.limit = Number(byId("limit").value);
  return query;
}

/** Put a query into the form. */
function fill(query) {
  if (!query) return;
  const put = (id, value) => {
    if (value !== undefined && value !== null) byId(id).value = value;
  };
  if ("measure" in query) put("measure", JSON.stringify(query.measure));
  chooseMeasure();
  if ("frequency" in query) put("frequency", JSON.stringify(query.frequency));
  put("organization", query.organization);
  for (const name of ["practices", "providers"]) {
    if (Array.isArray(query[name])) put(name, query[name].join(", "));
  }
  put("start", query.start);
  put("end", query.end);
  byId("aggregate").value = query.aggregate ?? "";
  byId("group-by").value = query.group_by?.[0] ?? "";
  byId("split-by").value = query.group_by?.[1] ?? "";
  chooseAggregate();
  put("order", query.order_by?.[0]);
  put("limit", query.limit);
  for (const each of Array.isArray(query.where) ? query.where : []) addCondition(each);
}

function addCondition(given = {}) {
  const row = document.createElement("div");
  row.className = "condition";
  const column = select("column", "Column", datasource().columns.map((each) => [each.name, each.name]));
  const op = select("op", "Comparison", data.operators.map((each) => [each, each.replace("_", " ")]));
  const value = document.createElement("input");
  value.className = "input value";
  value.setAttribute("aria-label", "Value");
  const remove = document.createElement("button");
  remove.type = "button";
  remove.className = "button quiet icon";
  remove.setAttribute("aria-label", "Remove this condition");
  remove.textContent = "×";
  remove.addEventListener("click", () => {
    row.remove();
    byId("add-condition").focus();
  });
  op.addEventListener("change", () => {
    value.disabled = op.value.endsWith("null");
    value.placeholder = ["in", "not_in", "between"].includes(op.value) ? "a, b" : "";
  });
  if (given.column) column.value = given.column;
  if (given.op) op.value = given.op;
  if (given.value !== undefined) value.value = [given.value].flat().join(", ");
  op.dispatchEvent(new Event("change"));
  row.append(column, op, value, remove);
  byId("conditions").append(row);
  return column;
}

async function run() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const query = queryOf();
  byId("run").setAttribute("aria-busy", "true");
  try {
    const began = performance.now();
    const answer = await post("/api/query", { ...query, format: "columns", explain: true }, { signal });
    asked = { query, answer, milliseconds: performance.now() - began };
    byId("problem").hidden = true;
  } finally {
    if (running?.signal === signal) byId("run").removeAttribute("aria-busy");
  }
  await draw();
  showRows();
  showExplanation();
  showCode();
}

async function draw() {
  if (!asked) return;
  const { answer, query, milliseconds } = asked;
  const { meta } = answer;
  const from = { store: "from cache", resident: "from cache", database: "from the database" };
  byId("meta").textContent = [
    from[meta.origin],
    `as of ${moment(meta.as_of)}`,
    `${meta.rows.toLocaleString()} rows of ${meta.rows_fetched.toLocaleString()} read`,
    `${milliseconds.toFixed(0)} ms here`,
    ...(meta.stale ? ["older than usual"] : []),
  ].join(", ");
  await chart.update(chartOf(query, answer, byId("chart-type").value));
}

/** An answer as a chart: the first group is its labels, the second one its series. */
function chartOf(query, answer, type) {
  const names = answer.schema.map((each) => each.name);
  const values = answer.columns[query.aggregate ?? ""] ?? [];
  const base = {
    id: "explored",
    title: titleOf(query),
    type,
    format: {},
    is_percent: false,
    column_type: null,
    error: null,
    change: null,
    facets: [],
  };
  if (!query.aggregate) return { ...base, error: { detail: "Rows have no chart; choose an aggregate, and what to group by." } };
  const text = (value) => (value === null ? null : String(value));
  const [label, split] = query.group_by ?? [];
  if (!label) {
    const only = series("value", titleOf(query), [text(values[0] ?? null)]);
    return { ...base, type: "number", facets: [{ labels: [{ key: "", text: "" }], series: [only] }] };
  }
  const typeOf = answer.schema[names.indexOf(label)].type;
  const position = new Map();
  for (const key of answer.columns[label]) if (!position.has(key)) position.set(key, position.size);
  const keys = [...position.keys()];
  const found = new Map();
  answer.columns[label].forEach((key, n) => {
    const part = split ? answer.columns[split][n] : query.aggregate;
    if (!found.has(part)) found.set(part, keys.map(() => null));
    found.get(part)[position.get(key)] = text(values[n]);
  });
  let order = keys.map((_, n) => n);
  if (!query.order_by) order = order.sort((a, b) => compare(keys[a], keys[b]));
  return {
    ...base,
    column: label,
    column_type: /^(date|timestamp)/.test(typeOf) ? "date" : typeOf,
    facets: [
      {
        labels: order.map((n) => ({ key: keys[n], text: keys[n] === null ? "none" : String(keys[n]) })),
        series: [...found].map(([part, each]) =>
          series(String(part), part === null ? "none" : String(part), order.map((n) => each[n])),
        ),
      },
    ],
  };
}

function series(id, name, values) {
  return { id, name, kind: "measure", values, total: null, format: {}, colour: null, axis: "left", draw: null, of: null, keys: null };
}

/** Numbers by size, text by the alphabet, NULL last. */
function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function titleOf(query) {
  const parts = [nameOf(query.measure ?? "Rows"), nameOf(query.frequency ?? "")].filter(Boolean);
  const by = query.group_by?.length ? ` by ${query.group_by.join(" and ")}` : "";
  return `${parts.join(", ")}${by}`;
}

function showRows() {
  const { answer } = asked;
  const table = document.createElement("table");
  table.className = "table";
  const head = table.createTHead().insertRow();
  for (const { name, type } of answer.schema) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    cell.title = type;
    cell.classList.toggle("number", NUMERIC.test(type));
    head.append(cell);
  }
  const body = table.createTBody();
  const count = answer.meta.rows;
  for (let n = 0; n < Math.min(count, SHOWN); n += 1) {
    const row = body.insertRow();
    for (const { name, type } of answer.schema) {
      const cell = row.insertCell();
      const value = answer.columns[name][n];
      cell.textContent = value === null ? "NULL" : String(value);
      cell.classList.toggle("muted", value === null);
      cell.classList.toggle("number", NUMERIC.test(type));
    }
  }
  byId("rows").replaceChildren(table);
  byId("rows-note").textContent =
    count > SHOWN ? `the first ${SHOWN} of ${count.toLocaleString()}` : `${count.toLocaleString()} rows`;
}

const WORDS = {
  origin: "Answered from",
  why_database: "Why from the database",
  practices: "Practices in the scope",
  providers: "Providers in the scope",
  boxes: "Boxes of the scope",
  index_sets: "Index sets looked up",
  members: "Entries in the scope",
  entries: "Entries fetched",
  bytes_fetched: "Bytes fetched",
  rows_fetched: "Rows fetched",
  rows: "Rows in the answer",
  whole_partition: "Whole partition read",
  trips: "Trips to the store",
};

function showExplanation() {
  const explained = asked.answer.explain ?? {};
  const list = document.createElement("dl");
  list.className = "explained";
  for (const [name, words] of Object.entries(WORDS)) {
    if (!(name in explained)) continue;
    const value = explained[name];
    if (value === null && !["practices", "providers"].includes(name)) continue;
    const pair = document.createElement("div");
    const term = document.createElement("dt");
    term.textContent = words;
    const said = document.createElement("dd");
    said.textContent = value === null ? "all" : typeof value === "number" ? value.toLocaleString() : typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
    pair.append(term, said);
    list.append(pair);
  }
  byId("explain").replaceChildren(list, timings(explained.timings ?? {}), reasons(explained.reasons ?? []));
}

function timings(steps) {
  const box = document.createElement("div");
  box.className = "timings";
  const most = Math.max(...Object.values(steps), 0.001);
  for (const [step, milliseconds] of Object.entries(steps)) {
    const row = document.createElement("div");
    row.className = "timing";
    const name = document.createElement("span");
    name.textContent = step;
    const bar = document.createElement("meter");
    bar.max = most;
    bar.value = milliseconds;
    bar.setAttribute("aria-label", step);
    const number = document.createElement("span");
    number.className = "number";
    number.textContent = `${milliseconds.toFixed(2)} ms`;
    row.append(name, bar, number);
    box.append(row);
  }
  return box;
}

function reasons(found) {
  const list = document.createElement("ul");
  list.className = "reasons";
  const all = (value) => (Array.isArray(value) ? value.join(", ") || "none" : "all");
  for (const each of found) {
    const item = document.createElement("li");
    if (typeof each === "string") {
      item.textContent = sentence(each);
    } else {
      const because = each.because.map((right) => `${right.role}${right.organization ? ` in ${right.organization}` : ""} grants ${right.permission}`);
      item.textContent = `${because.join("; ")}: organizations ${all(each.organizations)}; practices ${all(each.practices)}; providers ${all(each.providers)}.`;
    }
    list.append(item);
  }
  return list;
}

function showCode() {
  if (!asked) return;
  const forms = {
    python: () => asPython(asked.query),
    curl: () => asCurl(asked.query, location.origin),
    chart: () => asChart(asked.query, byId("chart-type").value, titleOf(asked.query)),
  };
  byId("code").textContent = forms[codeForm]();
}

function tabs() {
  const all = [...document.querySelectorAll(".copy-tabs [role=tab]")];
  const choose = (tab) => {
    codeForm = tab.dataset.form;
    for (const each of all) {
      each.setAttribute("aria-selected", String(each === tab));
      each.tabIndex = each === tab ? 0 : -1;
    }
    byId("code").setAttribute("aria-labelledby", tab.id);
    showCode();
  };
  all.forEach((tab, n) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = all[(n + step + all.length) % all.length];
      choose(next);
      next.focus();
    });
  });
}

async function copy() {
  try {
    await navigator.clipboard.writeText(byId("code").textContent);
    toast("Copied.", "good");
  } catch {
    getSelection().selectAllChildren(byId("code"));
    toast("Your browser doesn’t let pages copy; it is selected, copy it yourself.", "warn");
  }
}

/** Do something that asks the service; what goes wrong is said where the answer would be. */
async function attempt(work) {
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") return;
    byId("problem").textContent = sentence(error.message);
    byId("problem").hidden = false;
  }
}

function nameOf(name) {
  return name !== null && typeof name === "object" ? "(none)" : String(name);
}

function options(element, pairs) {
  element.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
}

function select(className, label, pairs) {
  const made = document.createElement("select");
  made.className = `input ${className}`;
  made.setAttribute("aria-label", label);
  options(made, pairs);
  return made;
}
