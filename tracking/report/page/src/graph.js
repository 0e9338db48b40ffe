// A computation graph: drawn while it can be read, listed where it cannot.

import { Graph, layout } from "@dagrejs/dagre";

import { el, name, svg, visible } from "./dom.js";
import { count, counted } from "./format.js";
import { disclosure, whenNear } from "./lazy.js";
import { table } from "./table.js";

const MOST_DRAWN = 300;
const MOST_LISTED = 2000;
const MOST_LETTERS = 26;
const SIZE = { letter: 7.3, padding: 20, tensor: 40, operation: 26 };

export function graphView(data, number, signal) {
  const { nodes, edges } = checked(data);
  const isOrdered = data.inputs_ordered !== false;
  const host = el("div", { class: "graph", tabindex: "0", role: "region", "aria-label": `Graph ${number}` });
  const isDrawn = nodes.length <= MOST_DRAWN;
  if (isDrawn) whenNear(host, () => host.append(drawing(nodes, edges)), signal);
  const list = el("details", {}, el("summary", {}, "Operations and nodes"));
  return el(
    "article",
    { class: "card" },
    el(
      "div",
      { class: "card-head" },
      el("h3", {}, `Graph ${number}`),
      el("span", { class: "muted" }, `${counted(nodes.length, "node")}, ${counted(edges.length, "edge")}`),
      !isOrdered && el("span", { class: "muted" }, "The order of inputs is not known."),
    ),
    isDrawn ? host : el("p", { class: "muted" }, `More than ${MOST_DRAWN} nodes are listed, not drawn.`),
    disclosure(list, () => lists(nodes)),
  );
}

/** Graphs may be anybody's: only what can be drawn is taken. */
function checked({ nodes, edges }) {
  const real = nodes.filter((node) => node && typeof node === "object" && node.id !== undefined);
  const ids = new Set(real.map((node) => String(node.id)));
  const isReal = (edge) => edge && ids.has(String(edge.source)) && ids.has(String(edge.target));
  return { nodes: real, edges: edges.filter(isReal) };
}

function drawing(nodes, edges) {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 26, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) {
    const lines = linesOf(node);
    const width = Math.max(...lines.map((line) => line.length)) * SIZE.letter + SIZE.padding;
    const height = lines.length > 1 ? SIZE.tensor : SIZE.operation;
    graph.setNode(String(node.id), { width, height, lines, node });
  }
  edges.forEach(({ source, target }, index) => graph.setEdge(String(source), String(target), {}, String(index)));
  layout(graph);
  const { width, height } = graph.graph();
  return svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${counted(nodes.length, "node")}` },
    svg(
      "defs",
      {},
      svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { d: "M0 0L8 4 0 8z" })),
    ),
    graph.edges().map((edge) => svg("path", { class: "edge", d: path(graph.edge(edge).points), "marker-end": "url(#arrow)" })),
    graph.nodes().map((id) => box(graph.node(id))),
  );
}

function box({ x, y, width, height, lines, node }) {
  const isOperation = node.type === "operation";
  return svg(
    "g",
    { class: `node node-${isOperation ? "operation" : "tensor"}${node.comp_grad ? " has-grad" : ""}`, transform: `translate(${x} ${y})` },
    svg("title", {}, [`${node.id}`, ...lines, node.comp_grad && "gradients are computed", node.is_leaf && "leaf"].filter(Boolean).join(" · ")),
    svg("rect", { x: -width / 2, y: -height / 2, width, height, rx: isOperation ? height / 2 : 5 }),
    lines.map((line, index) => svg("text", { class: index ? "shape" : "label", y: (index - (lines.length - 1) / 2) * 15 + 4 }, line)),
  );
}

function linesOf(node) {
  const own = shortened(visible(node.label || node.id));
  return Array.isArray(node.shape) ? [own, shortened(`[${node.shape.join(", ")}]`)] : [own];
}

function shortened(text) {
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;
}

function path([first, ...others]) {
  return `M${first.x} ${first.y}${others.map(({ x, y }) => `L${x} ${y}`).join("")}`;
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
