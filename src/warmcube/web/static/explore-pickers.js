// What the form lets one search in: measures, practices, providers.

import { json, post } from "./api.js";
import { nameOf } from "./question.js";
import { Picker } from "./picker.js";

const ID_ENDS = /_?(uid|uuid|id|key|code|no)$/i;

/** Choosing one measure; there is always one. */
export class MeasurePicker extends Picker {
  /** @param {(measure: unknown) => void} onMeasure */
  constructor(onMeasure) {
    super({
      name: "Measure",
      load: async () => this.measures.map((value) => ({ value: JSON.stringify(value), text: nameOf(value) })),
      onChange: (values) => onMeasure(JSON.parse(values[0])),
      isSingle: true,
    });
    this.measures = [];
    this.clear.remove();
  }

  /** The measures that there are. */
  offer(measures) {
    this.measures = measures;
    this.options = measures.map((value) => ({ value: JSON.stringify(value), text: nameOf(value) }));
    this.button.disabled = measures.length === 0;
  }

  /** Which one it is; undefined for none. */
  get measure() {
    return this.chosen?.length > 0 ? JSON.parse(this.chosen[0]) : undefined;
  }

  set measure(measure) {
    this.set(measure === undefined || measure === null ? null : [JSON.stringify(measure)]);
  }

  textOf(value) {
    return nameOf(JSON.parse(value));
  }

  say() {
    super.say();
    if (this.chosen === null) this.label.textContent = "None";
    this.button.classList.remove("is-set");
  }

  item(option, at, isChosen) {
    return super.item({ ...option, value: option.text }, at, isChosen);
  }

  choose(values) {
    if (values !== null) super.choose(values);
    this.box.hidePopover();
    this.button.focus();
  }
}

/** Choosing practices or providers, by their names where the data has some. */
export class IdsPicker extends Picker {
  /**
   * @param {string} name
   * @param {() => {datasource: object, column: string, narrowed: object}} about what the values are of
   */
  constructor(name, about) {
    super({ name, load: (signal) => valuesOf(about(), signal), onChange: () => {} });
  }

  /** Other values may be there now. */
  forget() {
    this.options = null;
  }
}

async function valuesOf({ datasource, column, narrowed }, signal) {
  const names = nameColumn(column, datasource.columns);
  const found = names
    ? await pairsOf(datasource.id, column, names, narrowed, signal)
    : await plainOf(datasource.id, column, narrowed, signal);
  const collator = new Intl.Collator(undefined, { numeric: true });
  return found.filter(({ value }) => value !== null).sort((one, other) => collator.compare(one.text, other.text));
}

async function pairsOf(datasource, column, names, narrowed, signal) {
  const asked = { datasource, ...narrowed, group_by: [column, names], aggregate: "count", format: "columns" };
  const { columns } = await post("/api/query", asked, { signal });
  const found = new Map(columns[column].map((value, place) => [value, columns[names][place]]));
  return [...found].map(([value, text]) => ({ value, text: text ?? String(value) }));
}

async function plainOf(datasource, column, narrowed, signal) {
  const q = encodeURIComponent(JSON.stringify(narrowed));
  const path = `/api/datasources/${datasource}/values/${encodeURIComponent(column)}?q=${q}`;
  const { values } = await json(path, { signal });
  return values.map((value) => ({ value, text: String(value) }));
}

/** The text column that holds the names of a column of ids; undefined if none does. */
function nameColumn(column, columns) {
  const stem = column.replace(ID_ENDS, "");
  const wanted = [`${stem}_name`, `${stem}name`, `${stem}_title`];
  return columns.find(({ name, type }) => type === "text" && name !== column && wanted.includes(name))?.name;
}
