// All that is known of one box of a computation graph.

import { el, icon, name } from "./dom.js";
import { count } from "./format.js";
import { tensorText } from "./graph_model.js";
import { nameOf } from "./graph_words.js";

const MOST_LINKS = 50;

/** `go(box)` leads to another box, `close()` away from this one. */
export function detailsOf(box, { go, close }) {
  const facts = [
    ["Label", box.kind !== "output" && box.label],
    ["Namespace", box.namespace],
    ...box.results.flatMap(({ shape, is_shape_known: isKnown, dtype }) => [
      ["Shape", tensorText({ shape, is_shape_known: isKnown })],
      ["Type", tensorText({ dtype })],
    ]),
    ["Gradients", box.hasGrad && "are computed"],
    ["Difference", box.mark],
    ...box.attributes,
  ].filter(([, value]) => value !== undefined && value !== null && value !== false && value !== "");
  return el(
    "section",
    { class: "graph-details", "aria-label": "Selected node" },
    el(
      "div",
      { class: "graph-details-head" },
      el("h4", {}, name(box.op)),
      el("button", { type: "button", class: "button", title: "Close the details", "aria-label": "Close the details", onclick: close }, icon("close")),
    ),
    facts.length > 0 && el("dl", {}, facts.map(([own, value]) => [el("dt", {}, name(own)), el("dd", {}, name(value))])),
    links("Inputs", box.inputs, ({ source }) => source, go),
    links("Users", box.users, ({ target }) => target, go),
  );
}

function links(title, all, endOf, go) {
  if (!all.length) return null;
  const shown = all.slice(0, MOST_LINKS);
  return [
    el("h5", {}, `${title} `, el("span", { class: "muted" }, count(all.length))),
    el("ul", {}, shown.map((link) => el("li", {}, oneLink(link, endOf(link), title === "Inputs", go)))),
    shown.length < all.length && el("p", { class: "muted" }, `The first ${MOST_LINKS} are listed.`),
  ];
}

/** What lies folded in another box has no place to go to. */
function oneLink({ port, text }, end, isInput, go) {
  const own = name(nameOf(end), { class: "mono" });
  return [
    isInput && port !== null && el("span", { class: "muted" }, `${port} `),
    end.foldedIn ? own : el("button", { type: "button", class: "graph-link", onclick: () => go(end) }, own),
    text && el("span", { class: "muted" }, " ", name(text)),
  ];
}
