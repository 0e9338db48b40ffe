// Keys, and the list of them.

import { el } from "./dom.js";

const KEYS = [
  ["j  k", "next and previous test; ↓ and ↑ in the list"],
  ["Enter", "open the test"],
  ["/", "filter the tests"],
  ["Esc", "leave the filter, close the test"],
  ["?", "this list"],
  ["←  ↑  ↓  →", "in a graph, to the next box; Enter opens it, + and - zoom, 0 shows all"],
  ["drag", "zoom into a curve; double click resets"],
];

export function helpDialog() {
  const rows = KEYS.map(([keys, what]) => [
    el("dt", {}, keys.split("  ").map((key) => el("kbd", {}, key))),
    el("dd", {}, what),
  ]);
  return el(
    "dialog",
    { class: "help", "aria-labelledby": "help-title" },
    el("h2", { id: "help-title" }, "Keys"),
    el("dl", {}, rows),
    el("form", { method: "dialog" }, el("button", { class: "button" }, "Close")),
  );
}

/** `actions` = { move(by), close(), search(), help(), isInList(node) }. */
export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (isElsewhere(event)) return;
    const action = isTyping(event) ? typed(event, actions) : pressed(event, actions);
    if (action) {
      event.preventDefault();
      action();
    }
  });
}

/** "/" goes to the field that `fieldOf()` returns, and Escape calls `leave(field)` in it. */
export function listenForSearch(fieldOf, leave) {
  document.addEventListener("keydown", (event) => {
    const field = isElsewhere(event) ? null : fieldOf();
    if (!field) return;
    if (event.key === "Escape" && event.target === field) leave(field);
    if (event.key !== "/" || isTyping(event)) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}

function isElsewhere(event) {
  return event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]");
}

function isTyping({ target }) {
  return target.matches?.("input:not([type=range], [type=checkbox]), textarea, select");
}

function typed(event, { leave, move }) {
  if (event.key === "Escape") return leave;
  if (event.key === "Enter" || event.key === "ArrowDown") return () => move(0);
  return null;
}

function pressed(event, { move, close, search, help, isInList }) {
  const arrows = isInList(event.target) ? { ArrowDown: () => move(1), ArrowUp: () => move(-1) } : {};
  const keys = { j: () => move(1), k: () => move(-1), Escape: close, "/": search, "?": help, ...arrows };
  return Object.hasOwn(keys, event.key) ? keys[event.key] : null;
}
