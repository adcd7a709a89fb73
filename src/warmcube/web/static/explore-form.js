// The form of the explore page: from what is chosen to a query, and back.

import { Conditions } from "./explore-conditions.js";
import { IdsPicker, MeasurePicker } from "./explore-pickers.js";
import { nameOf, orderOf } from "./question.js";
import { SelectList } from "./select-list.js";

const byId = (id) => document.getElementById(id);
const IDS = { practices: "practice", providers: "provider" };

/** What one asks with. */
export class QuestionForm {
  /**
   * @param {HTMLFormElement} form
   * @param {{datasources: object[], organizations: object[], aggregates: string[],
   *   operators: string[]}} data of the page
   * @param {() => void} onAsk somebody wants the answer
   */
  constructor(form, data, onAsk) {
    this.form = form;
    this.data = data;
    this.measure = new MeasurePicker(() => this.chooseMeasure({ isByHand: true }));
    byId("measure").append(this.measure.element);
    this.pickers = {};
    for (const [name, role] of Object.entries(IDS)) {
      const about = () => ({
        datasource: this.datasource,
        column: this.datasource.roles[role],
        narrowed: this.narrowed(),
      });
      this.pickers[name] = new IdsPicker(name.charAt(0).toUpperCase() + name.slice(1), about);
      byId(name).append(this.pickers[name].element);
    }
    this.groups = new SelectList(byId("group-by"), {
      first: "Group by",
      then: "then by",
      nothing: "nothing",
      onChange: () => this.chooseAggregate(),
    });
    this.orders = new SelectList(byId("order-by"), {
      first: "Order by",
      then: "then by",
      nothing: "nothing",
      textOf: (value) => orderText(JSON.parse(value)),
    });
    this.conditions = new Conditions(byId("conditions"), {
      operators: data.operators,
      path: (column) => this.pathOfValues(column),
    });
    options(byId("datasource"), data.datasources.map((each) => [String(each.id), each.name]));
    options(byId("aggregate"), [["", "none: the rows"], ...data.aggregates.map((each) => [each, each])]);
    const organizations = data.organizations.map((each) => [each.id, each.name ?? each.id]);
    options(byId("organization"), [["", "all that you may see"], ...organizations]);
    byId("datasource").addEventListener("change", () => this.chooseDatasource());
    byId("frequency").addEventListener("change", () => this.forget());
    byId("organization").addEventListener("change", () => this.forget());
    byId("aggregate").addEventListener("change", () => this.chooseAggregate());
    byId("add-condition").addEventListener("click", () => this.conditions.add().focus());
    form.addEventListener("keydown", (event) => {
      // What is searched for in a list isn't sent off.
      if (event.key === "Enter" && event.target.matches("[role=combobox]")) event.preventDefault();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onAsk();
    });
    this.begin();
  }

  get datasource() {
    return this.data.datasources.find((each) => String(each.id) === byId("datasource").value);
  }

  /** Whether there is anything to ask about the data source. */
  get canAsk() {
    const { roles, measures, trouble } = this.datasource;
    return trouble === null && (!roles.measure || measures.length > 0);
  }

  /** Choose what one would begin with: the first data source that has something to say. */
  begin() {
    const { datasources } = this.data;
    const first = datasources.find((each) => each.measures.length > 0 || !each.roles.measure) ?? datasources[0];
    byId("datasource").value = String(first.id);
    this.chooseDatasource();
  }

  chooseDatasource() {
    const { roles, columns, measures } = this.datasource;
    this.measure.offer(distinct(measures.map(({ measure }) => measure)));
    this.measure.measure = leading(measures)?.measure;
    byId("measure-field").hidden = !roles.measure;
    byId("frequency-field").hidden = !roles.frequency;
    byId("dates").hidden = !roles.date;
    byId("organization-field").hidden = !roles.practice;
    for (const [name, role] of Object.entries(IDS)) {
      byId(`${name}-field`).hidden = !roles[role];
      this.pickers[name].set(null);
    }
    this.conditions.offer(columns.map(({ name }) => name));
    this.groups.offer(columns.map(({ name }) => [name, name]));
    this.groups.set(roles.date ? [roles.date] : []);
    this.orders.set([]);
    byId("organization").value = byId("start").value = byId("end").value = byId("limit").value = "";
    byId("aggregate").value = roles.value ? "sum" : "count";
    this.chooseMeasure({ isByHand: true });
    this.chooseAggregate();
    byId("run").disabled = !this.canAsk;
  }

  /** Offer the frequencies of the measure; by hand, aggregate it as suits it too. */
  chooseMeasure({ isByHand = false } = {}) {
    const { measures } = this.datasource;
    const key = JSON.stringify(this.measure.measure);
    const found = measures.filter(({ measure }) => JSON.stringify(measure) === key);
    const before = byId("frequency").value;
    const names = found.map(({ frequency }) => [JSON.stringify(frequency), nameOf(frequency)]);
    options(byId("frequency"), names);
    const kept = names.find(([name]) => name === before) ?? names.find(([, text]) => /^month/i.test(text));
    if (kept) [byId("frequency").value] = kept;
    // Adding up rates says nothing, averaging charges little.
    if (isByHand && ["sum", "avg"].includes(byId("aggregate").value) && found.length > 0) {
      byId("aggregate").value = found[0].aggregate;
      this.chooseAggregate();
    }
    this.forget();
  }

  chooseAggregate() {
    const aggregate = byId("aggregate").value;
    byId("group-by").hidden = aggregate === "";
    const columns = aggregate ? [...this.groups.values, aggregate] : this.datasource.columns.map(({ name }) => name);
    const both = columns.flatMap((column) => [false, true].map((descending) => ({ column, descending })));
    this.orders.offer(both.map((order) => [JSON.stringify(order), orderText(order)]));
  }

  /** Practices and providers may be others now. */
  forget() {
    for (const picker of Object.values(this.pickers)) picker.forget();
  }

  /** What values are narrowed to: partition and organization. */
  narrowed() {
    const { measure, frequency, organization } = this.query();
    return { measure, frequency, organization };
  }

  pathOfValues(column) {
    const q = encodeURIComponent(JSON.stringify(this.narrowed()));
    return `/api/datasources/${this.datasource.id}/values/${encodeURIComponent(column)}?q=${q}`;
  }

  /** What is asked for, without what isn't narrowed. */
  query() {
    const { roles } = this.datasource;
    const query = { datasource: this.datasource.id };
    if (roles.measure && this.measure.measure !== undefined) query.measure = this.measure.measure;
    if (roles.frequency && byId("frequency").value) query.frequency = JSON.parse(byId("frequency").value);
    if (roles.practice && byId("organization").value) query.organization = byId("organization").value;
    for (const [name, role] of Object.entries(IDS)) {
      if (roles[role] && this.pickers[name].chosen !== null) query[name] = this.pickers[name].chosen;
    }
    for (const name of ["start", "end"]) if (roles.date && byId(name).value) query[name] = byId(name).value;
    const where = this.conditions.values;
    if (where.length > 0) query.where = where;
    const aggregate = byId("aggregate").value;
    if (aggregate) query.aggregate = aggregate;
    if (aggregate && this.groups.values.length > 0) query.group_by = this.groups.values;
    const orders = this.orders.values.map((each) => JSON.parse(each));
    if (orders.length > 0) query.order_by = orders.map(plainOrder);
    if (byId("limit").value) query.limit = Number(byId("limit").value);
    return query;
  }

  /** Show a query, as far as the form can; anything may be in it. */
  fill(query) {
    const known = this.data.datasources.some((each) => each.id === query.datasource);
    if (!known) return this.begin();
    byId("datasource").value = String(query.datasource);
    this.chooseDatasource();
    const { measure, frequency, organization, limit } = query;
    if (measure !== undefined && measure !== null) this.measure.measure = measure;
    this.chooseMeasure();
    if (frequency !== undefined && frequency !== null) choose(byId("frequency"), JSON.stringify(frequency), nameOf(frequency));
    if (typeof organization === "string") choose(byId("organization"), organization, organization);
    for (const name of Object.keys(IDS)) if (Array.isArray(query[name])) this.pickers[name].set(query[name]);
    for (const name of ["start", "end"]) if (isDay(query[name])) byId(name).value = query[name];
    if (query.aggregate === undefined || query.aggregate === null) byId("aggregate").value = "";
    else choose(byId("aggregate"), String(query.aggregate), String(query.aggregate));
    this.groups.set(texts(query.group_by));
    this.chooseAggregate();
    const orders = Array.isArray(query.order_by) ? query.order_by.map(orderOf).filter(Boolean) : [];
    this.orders.set(orders.map((each) => JSON.stringify(each)));
    byId("limit").value = Number.isInteger(limit) ? String(limit) : "";
    const conditions = Array.isArray(query.where) ? query.where : [];
    for (const each of conditions) if (each !== null && typeof each === "object") this.conditions.add(each);
    byId("more").open ||= conditions.length > 0 || orders.length > 0 || byId("limit").value !== "";
    return undefined;
  }
}

function orderText({ column, descending }) {
  return descending ? `${column}, descending` : column;
}

/** The short form, where it means the same. */
function plainOrder({ column, descending }) {
  if (column.startsWith("-")) return { column, descending };
  return descending ? `-${column}` : column;
}

function options(element, pairs) {
  element.replaceChildren(...pairs.map(([value, text]) => new Option(text, value)));
}

/** Choose what may not be offered: a link may name what this user doesn't have. */
function choose(element, value, text) {
  if (![...element.options].some((each) => each.value === value)) element.append(new Option(text, value));
  element.value = value;
}

/** The measure to begin with: what is taken in, or else money at all. */
function leading(measures) {
  const money = measures.filter(({ look }) => look === "currency");
  return money.find(({ measure }) => /charge|revenue|sales|payment/i.test(nameOf(measure))) ?? money[0] ?? measures[0];
}

/** Whether a field for days can show a value. */
function isDay(value) {
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d$/.test(value)) return false;
  const day = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(value);
}

function texts(values) {
  return Array.isArray(values) ? [...new Set(values.filter((each) => typeof each === "string" && each !== ""))] : [];
}

function distinct(values) {
  return [...new Map(values.map((each) => [JSON.stringify(each), each])).values()];
}
