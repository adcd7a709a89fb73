// Text on its way to Plotly, which takes <a href>, <b>, <br>, <sub> and entities in it for markup.

const MARKUP = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/**
 * A text that Plotly shows as it is.
 *
 * @param {string} text anybody's
 * @param {number} most characters; a longer one is cut, with an ellipsis
 */
export function plotText(text, most = Infinity) {
  const characters = [...String(text).replace(/[\s\p{Cc}]+/gu, " ").trim()];
  const cut = characters.length > most ? [...characters.slice(0, most - 1), "…"] : characters;
  return cut.map((character) => MARKUP[character] ?? character).join("");
}
