// A computation graph: drawn to look into, and its nodes as a list.

import { el, name } from "./dom.js";
import { count, counted } from "./format.js";
import { modelOf } from "./graph_model.js";
import { graphExplorer } from "./graph_view.js";
import { disclosure, whenNear } from "./lazy.js";
import { table } from "./table.js";

const MOST_LISTED = 2000;

/**
 * `data` as `json_of_graph` writes it, or anybody's { nodes, edges }. It may have a `name`; may be an
 * overview (`is_overview`) of `n_nodes`; and may say what differs from the baseline, or from what
 * `compared_with` says: `changed` and `added` are ids of nodes, `removed` texts. `number` names a
 * graph that has no name.
 */
export function graphView(data, number, signal) {
  const model = modelOf(data);
  const label = typeof data?.name === "string" && data.name ? data.name : `Graph ${number}`;
  const host = el("div", { class: "graph-host" });
  whenNear(host, () => model.boxes.length && host.append(graphExplorer(model, { label, signal })), signal);
  return el(
    "article",
    { class: "card" },
    el("div", { class: "card-head" }, el("h3", {}, name(label)), el("span", { class: "muted" }, counted(sizeOf(model), "node"))),
    notesOf(data, model).map((note) => el("p", { class: "graph-note" }, note)),
    host,
    model.removed.length > 0 && el("div", { class: "graph-removed" }, el("h4", {}, "Removed"), el("ul", { class: "notes" }, model.removed.map((text) => el("li", {}, name(text))))),
    disclosure(el("details", {}, el("summary", {}, "Operations and nodes")), () => lists(model.nodes)),
  );
}

function notesOf(data, { hasRuns, nMarked }) {
  return [
    data?.is_overview === true && `An overview: each namespace of the whole graph${Number.isInteger(data.n_nodes) ? `, which has ${counted(data.n_nodes, "node")},` : ""} is one node.`,
    data?.inputs_ordered === false && "The order of inputs is not known.",
    hasRuns && "Where no namespace divides many nodes, they are gathered by their order.",
    nMarked.changed + nMarked.added > 0 && `Against ${data.compared_with ?? "the baseline"} ${markedText(nMarked)}`,
  ].filter(Boolean);
}

/** As the gate counts: an operation and the tensor it makes are one node. */
function sizeOf({ nodes }) {
  return nodes.filter((node) => node.type === "tensor").length || nodes.length;
}

function markedText(nMarked) {
  const found = ["changed", "added"].filter((how) => nMarked[how]);
  const said = found.map((how, index) => (index ? count(nMarked[how]) : counted(nMarked[how], "node")) + ` ${how}`);
  return `${said.join(" and ")}; to search for ${found.map((how) => `“${how}”`).join(" or ")} leads there.`;
}

function lists(nodes) {
  const operations = Map.groupBy(nodes.filter((node) => node.type === "operation"), (node) => String(node.label));
  const byCount = [...operations].sort(([, a], [, b]) => b.length - a.length);
  const shown = nodes.slice(0, MOST_LISTED);
  return el("div", { class: "numbers" }, [
    table(["Operation", "How many"], byCount.map(([own, found]) => [name(own), count(found.length)]), { numbers: [1], label: "Operations" }),
    table(
      ["Id", "Type", "Label", "Shape"],
      shown.map((node) => [name(node.id), name(node.type ?? ""), name(node.label ?? ""), name(JSON.stringify(node.shape ?? null) ?? "")]),
      { label: "Nodes" },
    ),
    shown.length < nodes.length && el("p", { class: "muted" }, `The first ${count(shown.length)} of ${count(nodes.length)} nodes.`),
  ]);
}
