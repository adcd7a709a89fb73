// Ranges of axes, and where their ticks are. Pure.

const STEPS = [1, 2, 2.5, 5, 10];

/**
 * A range that holds some numbers, with ticks at round ones.
 *
 * @param {number} least
 * @param {number} most
 * @param {boolean} hasZero whether zero has to be in it, as bars and areas want it
 * @param {number} wanted about how many ticks
 * @returns {{range: [number, number], ticks: number[], step: number}}
 */
export function scale(least, most, hasZero, wanted) {
  let low = Number.isFinite(least) ? least : 0;
  let high = Number.isFinite(most) ? most : 1;
  const isNarrow = low > 0 ? (high - low) / high < 0.3 : high < 0 && (high - low) / -low < 0.3;
  if (hasZero || !isNarrow || low === high) {
    low = Math.min(low, 0);
    high = Math.max(high, 0);
  }
  if (low === high) high = low + 1;
  const step = roundStep((high - low) / Math.max(1, wanted));
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const ticks = [];
  for (let number = first; number <= last; number += 1) ticks.push(cleaned(number * step, step));
  const top = ticks.at(-1);
  const margin = top > 0 && high > top - step * 0.12 && top !== 0 ? step * 0.12 : 0;
  return { range: [ticks[0], top + margin], ticks, step };
}

function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return STEPS.find((each) => each * power >= rough * 0.999999) * power;
}

function cleaned(number, step) {
  const digits = Math.max(0, Math.min(100, 2 - Math.floor(Math.log10(step))));
  return Number(number.toFixed(digits));
}

/**
 * The least and the most of what is drawn at all positions.
 *
 * @param {(number | null)[][]} stacks lists of figures that lie on top of each other
 * @param {(number | null)[][]} plain lists that don't
 */
export function extent(stacks, plain) {
  let least = Infinity;
  let most = -Infinity;
  for (const values of plain) {
    for (const value of values) {
      if (value === null) continue;
      if (value < least) least = value;
      if (value > most) most = value;
    }
  }
  for (const place of (stacks[0] ?? []).keys()) {
    let above = 0;
    let below = 0;
    for (const values of stacks) {
      const value = values[place] ?? 0;
      if (value > 0) above += value;
      else below += value;
    }
    if (below < least) least = below;
    if (above > most) most = above;
  }
  return [least, most];
}

/** Which of so many positions are named where only some names have room. */
export function named(total, room) {
  const each = Math.max(1, Math.ceil(total / Math.max(1, room)));
  const found = [];
  for (let place = 0; place < total; place += each) found.push(place);
  return found;
}
