// Two mappings beside each other: what differs first, everything on demand.

import { el, name, replace } from "./dom.js";
import { counted, flat, value } from "./format.js";
import { table } from "./table.js";

/** `changes` are against the baseline; `mapping` is what this run had. */
export function differences(title, changes, mapping) {
  const all = flat(mapping);
  if (!all.length && !changes.length) return null;
  const host = el("div");
  const box = el("input", { type: "checkbox", onchange: render });
  function render() {
    replace(host, box.checked || changes.length ? differing(title, changes, box.checked ? all : []) : null);
  }
  render();
  return el(
    "section",
    { class: "card" },
    el(
      "div",
      { class: "card-head" },
      el("h3", {}, title),
      el("span", { class: "muted" }, changes.length ? `${counted(changes.length, "difference")} from the baseline` : "as in the baseline, as far as it says"),
      el("label", { class: "toggle" }, box, "all"),
    ),
    host,
  );
}

/** `changes` are { name, before, after }, `all` of a mapping what stands below them. */
export function differing(title, changes, all, [before, after] = ["Baseline", "This run"]) {
  const changed = new Set(changes.map((one) => one.name));
  const rows = [
    ...changes.map((one) =>
      el(
        "tr",
        { class: "is-changed" },
        el("td", {}, name(one.name)),
        el("td", {}, "before" in one ? el("del", {}, name(value(one.before))) : "–"),
        el("td", {}, "after" in one ? el("ins", {}, name(value(one.after))) : "–"),
      ),
    ),
    ...all
      .filter(([key]) => !changed.has(key))
      .map(([key, inner]) => [name(key), el("span", { class: "muted" }, "the same"), name(value(inner))]),
  ];
  return table(["Name", before, after], rows, { label: title });
}

/** A mapping by itself. */
export function mappingTable(mapping, title) {
  return table(["Name", "Value"], flat(mapping).map(([key, inner]) => [name(key), name(value(inner))]), { label: title });
}
