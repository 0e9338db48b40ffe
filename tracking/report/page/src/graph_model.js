// What the JSON of a computation graph says, as boxes to draw. Pure.
//
// An operation and the tensors it makes are one box. Parameters and constants that only one
// operation takes lie folded in its box. What leaves the graph goes to a box of its own.

import { groupsOf } from "./graph_groups.js";

const FOLDED = ["parameter", "constant"];

/**
 * Returns { boxes, root: the group of all, hasRuns, nodes: the real ones, nMarked:
 * how many are `changed` and `added`, removed }.
 */
export function modelOf(data) {
  const { nodes, edges } = checked(data);
  const makerOf = makers(nodes, edges);
  const boxOf = new Map();
  for (const [id, node] of nodes) if (!makerOf.has(id)) boxOf.set(id, newBox(id, node));
  for (const [id, maker] of makerOf) {
    boxOf.get(maker).results.push(nodes.get(id));
    boxOf.set(id, boxOf.get(maker));
  }
  for (const edge of edges) connect(edge, nodes, boxOf);
  const whole = [...new Set(boxOf.values())];
  whole.forEach(describe);
  const nMarked = mark(data, boxOf);
  whole.forEach(fold);
  const boxes = [...whole.filter((box) => !box.foldedIn), ...outputs(data, nodes, boxOf)];
  boxes.forEach((box, index) => Object.assign(box, { key: `b${index}` }));
  const { root, hasRuns } = groupsOf(boxes);
  boxes.sort((a, b) => a.first - b.first);
  return {
    ...{ boxes, root, hasRuns, nodes: [...nodes.values()], nMarked },
    removed: list(data?.removed).map(String),
  };
}

/** Graphs may be anybody's: only what can be drawn is taken, and of nodes of one id the first. */
function checked(data) {
  const nodes = new Map();
  for (const node of list(data?.nodes)) {
    const isReal = node !== null && typeof node === "object" && node.id !== undefined;
    if (isReal && !nodes.has(String(node.id))) nodes.set(String(node.id), node);
  }
  const isPort = (port) => Number.isInteger(port) && data.inputs_ordered !== false;
  const edges = list(data?.edges)
    .filter((edge) => nodes.has(String(edge?.source)) && nodes.has(String(edge?.target)))
    .map(({ source, target, port }) => ({ source: String(source), target: String(target), port: isPort(port) ? port : null }));
  return { nodes, edges };
}

function list(anything) {
  return Array.isArray(anything) ? anything : [];
}

/** By tensor the one operation that makes it. */
function makers(nodes, edges) {
  const found = new Map();
  const isOperation = (id) => nodes.get(id).type === "operation";
  for (const { source, target } of edges) {
    if (isOperation(source) && !isOperation(target)) {
      found.set(target, found.has(target) && found.get(target) !== source ? null : source);
    }
  }
  return new Map([...found].filter(([, maker]) => maker !== null));
}

function newBox(id, node) {
  const isOperation = node.type === "operation";
  return { id, node, kind: isOperation ? "operation" : "tensor", results: isOperation ? [] : [node], inputs: [], users: [], folded: [] };
}

function connect({ source, target, port }, nodes, boxOf) {
  const [from, to] = [boxOf.get(source), boxOf.get(target)];
  if (from === to && from.id === source && from.id !== target) return;
  const node = nodes.get(source);
  const link = { source: from, target: to, port, text: node.type === "operation" ? "" : tensorText(node) };
  from.users.push(link);
  to.inputs.push(link);
}

function describe(box) {
  const all = [box.node, ...box.results];
  if (box.kind === "tensor" && !box.inputs.length) box.kind = leafKind(box.node);
  box.label = texts(box.results.map((result) => result.label)).join(", ");
  box.op = box.kind === "operation" ? String(box.node.label ?? box.id) : box.kind;
  box.namespace = texts(all.map((node) => node.namespace))[0] ?? "";
  box.attributes = [...new Set(all)].flatMap(attributesOf);
  box.hasGrad = all.some((node) => node.comp_grad === true);
  box.inputs.sort((a, b) => (a.port ?? 0) - (b.port ?? 0));
}

function leafKind({ op, comp_grad: hasGrad }) {
  if (op === "input" || FOLDED.includes(op)) return op;
  return hasGrad === true ? "parameter" : "input";
}

function texts(all) {
  return all.filter((text) => typeof text === "string" && text !== "");
}

function attributesOf({ attributes }) {
  const isMapping = attributes !== null && typeof attributes === "object" && !Array.isArray(attributes);
  const pairs = isMapping ? Object.entries(attributes) : list(attributes).filter(Array.isArray);
  return pairs.map(([own, value]) => [String(own), valueText(value)]);
}

/** Numbers that JSON cannot hold, and floats that look like integers, come as {"float": …}. */
function valueText(value) {
  const plain = value !== null && typeof value === "object" && "float" in value ? value.float : value;
  return typeof plain === "string" ? plain : (JSON.stringify(plain) ?? "");
}

/** What is known of a tensor, as `4x8 float32`. */
export function tensorText({ shape, is_shape_known: isKnown, dtype }) {
  const known = Array.isArray(shape) && isKnown !== false;
  const sizes = known && (shape.length ? shape.map(String).join("x") : "scalar");
  return [sizes, typeof dtype === "string" && dtype].filter(Boolean).join(" ");
}

function fold(box) {
  const takers = new Set(box.users.map((link) => link.target));
  const [taker] = takers;
  if (!FOLDED.includes(box.kind) || takers.size !== 1 || taker.kind !== "operation") return;
  box.foldedIn = taker;
  taker.folded.push(box);
  if (box.mark) taker.mark ??= "changed";
}

/** `data.changed` and `data.added` are ids of nodes; returns how many of each are there. */
function mark(data, boxOf) {
  const marked = ["added", "changed"].map((how) => {
    const boxes = list(data?.[how]).map((id) => boxOf.get(String(id))).filter(Boolean);
    for (const box of boxes) box.mark ??= how;
    return [how, new Set(boxes).size];
  });
  return Object.fromEntries(marked);
}

/** A box for each tensor that leaves the graph: those named, or else those that nothing takes. */
function outputs(data, nodes, boxOf) {
  const named = [...new Set(list(data?.outputs).map(String))].filter((id) => nodes.has(id));
  const taken = new Set();
  for (const box of boxOf.values()) for (const { source, target } of box.inputs) if (source !== target) taken.add(source);
  const free = [...nodes.keys()].filter((id) => nodes.get(id).type !== "operation" && boxOf.get(id).id !== id && !taken.has(boxOf.get(id)));
  return (named.length ? named : free).map((id) => {
    const source = boxOf.get(id).foldedIn ?? boxOf.get(id);
    const box = { id: null, kind: "output", op: "output", label: "", namespace: "", attributes: [], results: [], inputs: [], users: [], folded: [] };
    const link = { source, target: box, port: null, text: tensorText(nodes.get(id)) };
    source.users.push(link);
    box.inputs.push(link);
    return box;
  });
}
