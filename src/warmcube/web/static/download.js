// Files that a browser keeps.

import { request } from "./api.js";

/**
 * Have the browser keep something as a file.
 *
 * @param {string} name of the file
 * @param {string} href of what it holds
 */
export function keep(name, href) {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

/** A name that every system takes for a file's. */
export function fileName(title, ending) {
  const plain = title
    .normalize("NFKD")
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 80);
  return `${plain || "chart"}.${ending}`;
}

/** Post to the service, and keep what it answers. */
export async function keepAnswer(name, path, body) {
  const response = await request(path, { method: "POST", body, headers: { Accept: "*/*" } });
  const url = URL.createObjectURL(await response.blob());
  keep(name, url);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
