// How figures are shown. They come as exact text, and only what is drawn becomes a Number.

const NONE = "–";
const DAY = /^(\d{4})-(\d\d)-(\d\d)/;
const cache = new Map();

/** A number as people read it, from its exact text; "–" for what is missing. */
export function shown(text, format = {}) {
  if (text === null || text === undefined) return NONE;
  if (text === "NaN" || text.endsWith("Infinity")) return text.replace("Infinity", "∞");
  return formatter(format, false).format(text);
}

/** The same, short: 1.2M instead of 1,234,567.89; for tiles and axes, never for tables. */
export function brief(text, format = {}) {
  if (text === null || text === undefined) return NONE;
  if (text === "NaN" || text.endsWith("Infinity")) return text.replace("Infinity", "∞");
  return formatter(format, true).format(text);
}

/** A change with its sign: +4.2 %. */
export function signed(text, format = {}) {
  if (text === null || text === undefined) return NONE;
  const plain = shown(text, format);
  return Number(text) > 0 ? `+${plain}` : plain;
}

/** What stands before and behind the numbers of an axis, and how Plotly writes them. */
export function axisFormat(format = {}) {
  if (format.kind === "percent") return { tickformat: ",.3~p" };
  if (format.kind !== "currency") return { tickformat: ",.4~s" };
  const parts = formatter({ ...format, decimals: 0 }, false).formatToParts(1);
  const symbol = parts.find((part) => part.type === "currency")?.value ?? "";
  const isFirst = parts[0].type === "currency";
  return { tickformat: ",.4~s", [isFirst ? "tickprefix" : "ticksuffix"]: isFirst ? symbol : ` ${symbol}` };
}

/** A label of a chart; days in words. */
export function labelText(label, type) {
  if (type === "date" && typeof label.key === "string") return dayText(label.key);
  return label.text;
}

/** A day as people read it: Mar 1, 2025. */
export function dayText(text) {
  const found = DAY.exec(text ?? "");
  if (!found) return text ?? NONE;
  const [, year, month, day] = found.map(Number);
  return dayFormat.format(new Date(Date.UTC(year, month - 1, day)));
}

/** When something was, by the viewer's clock: 10:03, or with its day if that isn't today. */
export function moment(text) {
  if (!text) return NONE;
  const when = new Date(text);
  const isToday = when.toDateString() === new Date().toDateString();
  return (isToday ? timeFormat : dayTimeFormat).format(when);
}

const dayFormat = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
  timeZone: "UTC",
});
const timeFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayTimeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function formatter(format, isBrief) {
  const key = `${format.kind} ${format.currency} ${format.decimals} ${isBrief}`;
  let found = cache.get(key);
  if (!found) {
    found = new Intl.NumberFormat(undefined, options(format, isBrief));
    cache.set(key, found);
  }
  return found;
}

function options(format, isBrief) {
  const { kind = "number", currency, decimals } = format;
  const chosen = {};
  if (kind === "currency" && currency) {
    Object.assign(chosen, { style: "currency", currency, currencyDisplay: "narrowSymbol" });
  } else if (kind === "percent") {
    Object.assign(chosen, { style: "percent", maximumFractionDigits: 1 });
  } else if (kind === "count") {
    Object.assign(chosen, { maximumFractionDigits: 0 });
  } else {
    Object.assign(chosen, { maximumFractionDigits: 2 });
  }
  if (Number.isInteger(decimals)) {
    Object.assign(chosen, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }
  if (isBrief && kind !== "percent") {
    delete chosen.minimumFractionDigits;
    Object.assign(chosen, { notation: "compact", maximumFractionDigits: 1 });
  }
  return chosen;
}
