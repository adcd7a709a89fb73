// Figures of the cache as people read them; null is always "–".

const NONE = "–";
const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const one = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const UNITS = ["B", "kB", "MB", "GB", "TB"];

const isNone = (value) => value === null || value === undefined;

/** A whole number, with its thousands. */
export const count = (value) => (isNone(value) ? NONE : whole.format(value));

/** The same, short: 1.2M. */
export const shortCount = (value) => (isNone(value) ? NONE : short.format(value));

/** A share from 0 to 1. */
export const percent = (value) => (isNone(value) ? NONE : share.format(value));

/** Bytes, in units of 1,000. */
export function size(bytes) {
  if (isNone(bytes)) return NONE;
  let left = bytes;
  let unit = 0;
  while (left >= 1000 && unit < UNITS.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${unit ? one.format(left) : whole.format(left)} ${UNITS[unit]}`;
}

/** Seconds: 12 s, 4 min, 2 h 5 min, 3 d 4 h. */
export function duration(seconds) {
  if (isNone(seconds)) return NONE;
  if (seconds < 10) return `${one.format(seconds)} s`;
  const rounded = Math.round(seconds);
  if (rounded < 60) return `${rounded} s`;
  const minutes = Math.floor(rounded / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${hours / 24} d`;
}

/** Milliseconds of an answer: 0.42 ms, 31 ms, 1.2 s. */
export function latency(milliseconds) {
  if (isNone(milliseconds)) return NONE;
  if (milliseconds >= 1000) return `${one.format(milliseconds / 1000)} s`;
  if (milliseconds >= 10) return `${whole.format(Math.round(milliseconds))} ms`;
  return `${Number(milliseconds.toPrecision(2))} ms`;
}
