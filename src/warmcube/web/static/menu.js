// A button that opens a menu: arrows move, Escape closes, and the focus comes back.

import { element, icon } from "./dom.js";

let number = 0;

/**
 * Place something that is open beside what opened it, inside the window.
 *
 * @param {HTMLElement} box fixed
 * @param {HTMLElement} beside
 */
export function place(box, beside) {
  const at = beside.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const gap = 4;
  const left = Math.max(8, Math.min(at.left, innerWidth - width - 8));
  const isBelow = at.bottom + gap + height <= innerHeight || at.top < height + gap;
  const top = isBelow ? at.bottom + gap : at.top - gap - height;
  box.style.inset = `${Math.max(8, Math.min(top, innerHeight - Math.min(height, innerHeight - 16) - 8))}px auto auto ${left}px`;
}

/** Whether something is to the end of its button rather than to its start. */
function placeAtEnd(box, beside) {
  place(box, beside);
  const at = beside.getBoundingClientRect();
  const left = Math.max(8, Math.min(at.right - box.offsetWidth, innerWidth - box.offsetWidth - 8));
  box.style.insetInlineStart = `${left}px`;
}

/**
 * A button with a menu.
 *
 * @param {string} name what it is for
 * @param {() => ({text: string, icon: string, run?: () => void, href?: string} | string | null)[]} items
 *   asked each time it opens; a plain text is told, and can't be chosen
 * @returns {HTMLElement} the button and the menu
 */
export function menuButton(name, items) {
  number += 1;
  const id = `menu-${number}`;
  const box = element("div.menu.popup", { id, popover: "auto", role: "menu", "aria-label": name });
  const button = element(
    "button.button.quiet.icon.small",
    {
      type: "button",
      popovertarget: id,
      "aria-haspopup": "menu",
      "aria-expanded": "false",
      "aria-label": name,
      title: name,
    },
    icon("more", 16),
  );
  box.addEventListener("beforetoggle", (event) => {
    if (event.newState === "open") box.replaceChildren(...items().filter(Boolean).map((each) => itemOf(each, box, button)));
  });
  box.addEventListener("toggle", (event) => {
    const isOpen = event.newState === "open";
    button.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) return;
    placeAtEnd(box, button);
    box.querySelector("[role=menuitem]")?.focus();
  });
  box.addEventListener("keydown", (event) => move(event, box));
  return element("span.menu-host", {}, button, box);
}

function itemOf(item, box, button) {
  if (typeof item === "string") return element("p.told", { role: "presentation" }, item);
  const attributes = { role: "menuitem", tabindex: "-1" };
  if (item.href) {
    return element("a.item", { ...attributes, href: item.href }, icon(item.icon), item.text);
  }
  const run = () => {
    box.hidePopover();
    button.focus({ preventScroll: true });
    item.run();
  };
  return element("button.item", { ...attributes, type: "button", onclick: run }, icon(item.icon), item.text);
}

function move(event, box) {
  const all = [...box.querySelectorAll("[role=menuitem]")];
  const now = all.indexOf(document.activeElement);
  const next = {
    ArrowDown: (now + 1) % all.length,
    ArrowUp: (now - 1 + all.length) % all.length,
    Home: 0,
    End: all.length - 1,
  }[event.key];
  if (event.key === "Tab") box.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  all[next].focus();
}
