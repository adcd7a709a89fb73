// Numbers and days as people read them. Numbers come as exact text, and are formatted from it: no
// digit goes through a binary fraction.

const LOCALE = document.documentElement.dataset.locale || undefined;
const kept = new Map();

/** What stands for NULL, and for what is missing. */
export const NOTHING = "–";

function numbers(options) {
  const key = JSON.stringify(options);
  if (!kept.has(key)) kept.set(key, new Intl.NumberFormat(LOCALE, options));
  return kept.get(key);
}

function style(format) {
  if (isRate(format)) return { style: "percent" };
  if (format.kind === "currency" && /^[A-Z]{3}$/.test(format.currency ?? "")) {
    return { style: "currency", currency: format.currency };
  }
  return {};
}

/** Whether a number is shown as so many percent; `of_hundred` is one that is so many already. */
function isRate(format) {
  return format.kind === "percent" || format.kind === "of_hundred";
}

function decimals(format) {
  const given = format.decimals;
  if (given !== null && given !== undefined) {
    return { minimumFractionDigits: given, maximumFractionDigits: given };
  }
  if (format.kind === "count") return { maximumFractionDigits: 0 };
  if (isRate(format)) return { minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return format.kind === "currency" ? {} : { maximumFractionDigits: 2 };
}

/** The text of what is to be formatted: the style of percent takes hundredths. */
function scaled(text, format) {
  return format.kind === "of_hundred" ? `${text}e-2` : text;
}

function isPlain(text) {
  return /^-?\d+(\.\d+)?$/.test(text);
}

/**
 * A number in its format.
 *
 * @param {string | null} text exact, as the service tells it
 * @param {{kind: string, currency: string | null, decimals: number | null}} format
 */
export function formatted(text, format) {
  if (text === null || text === undefined) return NOTHING;
  if (!isPlain(text)) return text; // NaN and infinity
  return numbers({ ...style(format), ...decimals(format) }).format(scaled(text, format));
}

/** A number with its sign, also where it is positive. */
export function signed(text, format) {
  if (text === null || text === undefined) return NOTHING;
  if (!isPlain(text)) return text;
  const options = { ...style(format), ...decimals(format), signDisplay: "exceptZero" };
  return numbers(options).format(scaled(text, format));
}

/** A number in few characters, for an axis. */
export function short(number, format, step) {
  const options = { ...style(format), notation: "compact", maximumFractionDigits: 2 };
  if (isRate(format)) {
    const [share, apart] = format.kind === "percent" ? [number, step * 100] : [number / 100, step];
    const digits = apart > 0 ? Math.max(0, Math.min(6, Math.ceil(-Math.log10(apart) - 1e-9))) : 0;
    return numbers({ style: "percent", maximumFractionDigits: digits }).format(share);
  }
  if (format.kind === "currency") options.minimumFractionDigits = 0;
  return numbers(options).format(number);
}

/** A share of one as percent. */
export function percent(share, digits = 1) {
  return numbers({ style: "percent", maximumFractionDigits: digits }).format(share);
}

/** A whole number with its separators. */
export function count(number) {
  return numbers({ maximumFractionDigits: 0 }).format(number);
}

const DAY = /^(\d{4})-(\d\d)-(\d\d)(?:$|T)/;

/** Whether a key is a day that a calendar of four-digit years has. */
export function isDay(key) {
  return typeof key === "string" && DAY.test(key) && Number(key.slice(0, 4)) > 0;
}

/**
 * How far apart days lie, as far as it matters for writing them.
 *
 * @param {string[]} keys ISO days
 * @returns {"year" | "month" | "day" | "minute"}
 */
export function grain(keys) {
  const days = keys.filter(isDay);
  if (days.some((key) => key.length > 10 && !/T00:00(:00)?(\.0+)?($|Z|[+-])/.test(key))) return "minute";
  if (days.length < 2 || days.some((key) => key.slice(8, 10) !== "01")) return "day";
  return days.some((key) => key.slice(5, 7) !== "01") ? "month" : "year";
}

const DATES = {
  year: [{ year: "numeric" }, { year: "numeric" }],
  month: [
    { year: "numeric", month: "short" },
    { year: "numeric", month: "long" },
  ],
  day: [
    { year: "2-digit", month: "short", day: "numeric" },
    { year: "numeric", month: "short", day: "numeric", weekday: "short" },
  ],
  minute: [
    { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" },
    { dateStyle: "medium", timeStyle: "short" },
  ],
};

function dates(options) {
  const key = `d${JSON.stringify(options)}`;
  if (!kept.has(key)) kept.set(key, new Intl.DateTimeFormat(LOCALE, { ...options, timeZone: "UTC" }));
  return kept.get(key);
}

/**
 * A day as text.
 *
 * @param {string} key an ISO day or time
 * @param {"year" | "month" | "day" | "minute"} unit from `grain`
 * @param {boolean} isLong whether there is room
 */
export function dayText(key, unit = "day", isLong = true) {
  if (!isDay(key)) return String(key);
  return dates(DATES[unit][isLong ? 1 : 0]).format(on(key));
}

/**
 * Days below an axis, in order: the year only where it is another than the last one's.
 *
 * @param {string[]} keys ISO days
 * @param {"year" | "month" | "day" | "minute"} unit from `grain`
 */
export function dayTexts(keys, unit) {
  let year = null;
  return keys.map((key) => {
    const isSame = key.slice(0, 4) === year;
    year = key.slice(0, 4);
    if (unit === "month") return dates({ month: "short", ...(isSame ? {} : { year: "numeric" }) }).format(on(key));
    if (unit !== "day") return dayText(key, unit, false);
    return dates({ month: "short", day: "numeric", ...(isSame ? {} : { year: "numeric" }) }).format(on(key));
  });
}

function on(key) {
  return new Date(key.slice(0, 10) + timeOf(key));
}

function timeOf(key) {
  return key.length > 10 ? `${key.slice(10, 19)}Z` : "T00:00:00Z";
}

/** A range of days. */
export function rangeText(start, end) {
  const options = { year: "numeric", month: "short", day: "numeric" };
  if (isDay(start) && isDay(end)) return dates(options).formatRange(on(start), on(end));
  if (isDay(start)) return `from ${dates(options).format(on(start))}`;
  return isDay(end) ? `until ${dates(options).format(on(end))}` : "all dates";
}

/** The time of an instant where the viewer is; with its day unless that is today. */
export function moment(iso, now = new Date()) {
  const at = new Date(iso);
  const isToday = at.toDateString() === now.toDateString();
  const options = isToday ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(LOCALE, options).format(at);
}
