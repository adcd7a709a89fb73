// The colours of charts, from the stylesheet's tokens as they are in the present theme.

import { colour, onThemeChange } from "./theme.js";

const SERIES = Array.from({ length: 10 }, (_, number) => `--chart-${number + 1}`);

let kept = null;
onThemeChange(() => {
  kept = null;
});

/** All of them; read once for each theme. */
export function palette() {
  kept ??= {
    series: SERIES.map(colour),
    other: colour("--chart-other"),
    compared: colour("--chart-compared"),
    grid: colour("--chart-grid"),
    axis: colour("--chart-axis"),
    text: colour("--chart-text"),
    strong: colour("--text"),
    surface: colour("--surface"),
    font: getComputedStyle(document.body).fontFamily,
  };
  return kept;
}

/** A colour that lets so much of what is behind it through. */
export function faded(of, alpha) {
  const hex = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(of);
  const parts = hex ? hex.slice(1).map((each) => parseInt(each, 16)) : of.match(/[\d.]+/g).slice(0, 3);
  return `rgba(${parts.join(", ")}, ${alpha})`;
}
