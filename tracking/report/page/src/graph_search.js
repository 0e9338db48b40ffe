// Finding boxes of a computation graph by what is known of them.

import { el, icon } from "./dom.js";
import { count } from "./format.js";
import { tensorText } from "./graph_model.js";

/** The boxes that have all words of a query, in their order; none for no words. */
export function found(boxes, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length ? boxes.filter((box) => words.every((word) => searchable(box).includes(word))) : [];
}

function searchable(box) {
  box.searchable ??= [
    ...[box.op, box.label, box.namespace, box.kind, box.mark],
    ...[box, ...box.folded].flatMap(({ label, op, results }) => [label, op, ...results.map(tensorText)]),
    ...box.attributes.map(([name, value]) => `${name}=${value}`),
  ]
    .filter(Boolean)
    .join("\n")
    .toLowerCase();
  return box.searchable;
}

/** A field and what it found; `show(boxes)` marks them, `go(box)` leads to one. */
export function searchField(boxes, { show, go }) {
  let matches = [];
  let at = -1;
  const status = el("output", { class: "muted", role: "status" });
  const field = el("input", { type: "search", placeholder: "Find in the graph", "aria-label": "Find in the graph", oninput: search, onkeydown: press });
  const steps = [stepButton("previous", "Previous match", -1), stepButton("next", "Next match", 1)];
  update();
  return el("div", { class: "graph-search" }, el("label", { class: "graph-field" }, icon("search"), field), status, steps);

  function stepButton(what, words, by) {
    return el("button", { type: "button", class: "button", title: words, "aria-label": words, onclick: () => step(by) }, icon(what));
  }

  function search() {
    matches = found(boxes, field.value);
    at = -1;
    update();
    show(matches, field.value.trim() !== "");
  }

  function step(by) {
    if (!matches.length) return;
    at = at < 0 && by < 0 ? matches.length - 1 : (at + by + matches.length) % matches.length;
    update();
    go(matches[at]);
  }

  function update() {
    const total = count(matches.length);
    const words = matches.length ? (at < 0 ? `${total} found` : `${count(at + 1)} of ${total}`) : "No match";
    status.textContent = field.value.trim() ? words : "";
    for (const button of steps) button.hidden = !matches.length;
  }

  // The page around has keys of its own.
  function press(event) {
    if (event.key === "Enter") step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && field.value) {
      field.value = "";
      search();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
