// A field that finds one of many by words.

import { el, name, replace } from "./dom.js";

const MOST_SHOWN = 50;
let n_pickers = 0;

/** Choices that hold all words of a text, in their order. Pure. */
export function fitting(choices, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return choices.filter((choice) => {
    const own = `${choice.text} ${choice.note ?? ""}`.toLowerCase();
    return words.every((word) => own.includes(word));
  });
}

/**
 * A combobox. `show(choices, id)` gives it its choices, { id, text, note, mark }, and the chosen
 * one; `onPick(id)` is told what the reader chooses.
 */
export function picker({ label, placeholder, onPick }) {
  n_pickers += 1;
  const listId = `picker-${n_pickers}`;
  const input = el("input", {
    type: "text",
    role: "combobox",
    placeholder,
    "aria-label": label,
    "aria-expanded": "false",
    "aria-controls": listId,
    "aria-autocomplete": "list",
    spellcheck: "false",
    autocomplete: "off",
    onfocus: () => input.select(),
    onclick: () => open(""),
    oninput: () => open(input.value),
    onkeydown: press,
    onblur: close,
  });
  const mark = el("span", { class: "picker-mark" });
  const list = el("ul", { id: listId, class: "picker-list", role: "listbox", "aria-label": label, hidden: true });
  const rest = el("p", { class: "muted picker-rest", hidden: true });
  const box = el("div", { class: "picker-box", hidden: true }, list, rest);
  const node = el("div", { class: "picker" }, el("span", { class: "picker-label" }, label), el("div", { class: "picker-field" }, mark, input), box);
  let choices = [];
  let chosen = "";
  let found = [];
  let active = -1;

  function open(text) {
    const all = fitting(choices, text);
    found = all.slice(0, MOST_SHOWN);
    active = text ? 0 : found.findIndex(({ id }) => id === chosen);
    replace(list, found.map(option));
    rest.hidden = all.length > 0 && all.length === found.length;
    rest.textContent = all.length ? `${all.length - found.length} more; write a word of what you look for.` : "Nothing is like that.";
    box.hidden = false;
    list.hidden = !found.length;
    input.setAttribute("aria-expanded", "true");
    showActive();
  }
  function close() {
    box.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    input.value = textOf(chosen);
  }
  function option({ id, text, note, mark: own }, index) {
    const pick = (event) => {
      event.preventDefault();
      choose(id);
    };
    return el("li", { id: `${listId}-${index}`, role: "option", "aria-selected": String(id === chosen), onpointerdown: pick }, own?.(), name(text), note && el("span", { class: "muted" }, name(note)));
  }
  function showActive() {
    [...list.children].forEach((one, index) => one.classList.toggle("is-active", index === active));
    if (active < 0) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", `${listId}-${active}`);
    return list.children[active]?.scrollIntoView({ block: "nearest" });
  }
  function choose(id) {
    chosen = id;
    close();
    onPick(id);
  }
  function press(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && box.hidden) {
      open("");
      active = Math.max(0, active);
    } else if (by) active = Math.max(0, Math.min(found.length - 1, active + by));
    else if (event.key === "Enter" && !box.hidden && found[active]) choose(found[active].id);
    else if (event.key === "Escape" && !box.hidden) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (by) showActive();
  }
  const textOf = (id) => choices.find((choice) => choice.id === id)?.text ?? "";

  return {
    node,
    show(next, id) {
      choices = next;
      chosen = id;
      replace(mark, choices.find((choice) => choice.id === id)?.mark?.());
      if (box.hidden) input.value = textOf(id);
    },
  };
}
