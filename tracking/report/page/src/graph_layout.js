// Where everything of a computation graph stands. Each open group is laid out on its own, from the
// inside out; an edge that crosses its frame does so at a port. Pure.

import { Graph, layout } from "@dagrejs/dagre";

import { edgesSeen, groupsAround } from "./graph_groups.js";
import { HEADER, placed } from "./graph_place.js";
import { ranked } from "./graph_rank.js";
import { columns, edgeText, linesOf, shortened } from "./graph_words.js";

/** Edges of a group that would cross more rows in all are drawn straight: laid out they take long. */
const MOST_ROWS = 250;
/** Where there are more edges, the shortest are drawn. */
const MOST_EDGES = 1000;
const LETTER = { title: 7.4, small: 6.7 };
const LINE = 16;
const PADDING = { x: 24, y: 14 };
const FRAME = 14;
const LABEL_HEIGHT = 15;
const OUTER = 12;
const MOST_KNOWN = 100;

const known = new Map();

/**
 * Returns { width, height, boxes, frames, lines, nHidden }, all in the same pixels: boxes are
 * { item, x, y, width, height, lines }, x and y of the left upper corner; frames { group, … } of open
 * groups, outer ones first; lines { points, isFree, isEnd, edges, text, textAt, ports } from above to
 * below, `isFree` where only the two ends are known, `isEnd` where an arrow belongs.
 */
export function laidOut(model, open) {
  const { levels, nHidden } = levelsOf(model, open);
  const inner = arrange(levels, model.root);
  const corner = { x: OUTER, y: OUTER };
  return { width: inner.width + 2 * OUTER, height: inner.height + 2 * OUTER, ...placed(levels, model.root, corner), nHidden };
}

/** By open group what is laid out in it: items, ports where edges enter and leave, and segments. */
function levelsOf(model, open) {
  const levels = new Map();
  const addLevel = (group) => {
    levels.set(group, { nodes: new Map(group.children.map((item) => [item.key, { item }])), segments: new Map(), first: new Set(), last: new Set() });
    for (const child of group.children) if (open.has(child)) addLevel(child);
  };
  addLevel(model.root);
  const edges = edgesSeen(model, open);
  const length = ({ source, target }) => Math.abs(target.first - source.first);
  const drawn = edges.length > MOST_EDGES ? edges.toSorted((a, b) => length(a) - length(b)).slice(0, MOST_EDGES) : edges;
  for (const edge of drawn) route(levels, model.root, edge);
  return { levels, nHidden: edges.length - drawn.length };
}

/** Cut an edge where it crosses frames. What one item sends through a frame shares a port. */
function route(levels, root, edge) {
  const { source, target } = edge;
  const around = (item) => [...groupsAround(item), root];
  const outside = around(target);
  const common = around(source).find((group) => outside.includes(group));
  const port = source.key;
  let from = source.key;
  for (const group of around(source)) {
    if (group === common) break;
    addPort(levels.get(group), "last", `out ${port}`);
    addSegment(levels.get(group), from, `out ${port}`, port, edge, {});
    from = group.key;
  }
  let to = target.key;
  for (const group of outside) {
    if (group === common) break;
    addPort(levels.get(group), "first", `in ${port}`);
    addSegment(levels.get(group), `in ${port}`, to, port, edge, { isEnd: to === target.key });
    to = group.key;
  }
  addSegment(levels.get(common), from, to, port, edge, { isEnd: to === target.key, isLabelled: true });
}

function addPort(level, side, key) {
  level.nodes.set(key, { isPort: true, width: 8, height: 1 });
  level[side].add(key);
}

function addSegment(level, from, to, port, edge, { isEnd = false, isLabelled = false }) {
  const key = `${port} ${from} ${to}`;
  const known = level.segments.get(key);
  if (known) known.edges.push(edge);
  else level.segments.set(key, { from, to, port, edges: [edge], isEnd, isLabelled });
}

/** Lay out a group whose inner groups are laid out; set its size, and where all in it stands. */
function arrange(levels, group) {
  const level = levels.get(group);
  for (const node of level.nodes.values()) {
    if (!node.isPort) Object.assign(node, levels.has(node.item) ? frameOf(arrange(levels, node.item), node.item) : boxOf(node.item));
  }
  const segments = [...level.segments.values()];
  const { rows, back } = ranked([...level.nodes.keys()], segments, level);
  const span = ({ from, to }) => rows.get(to) - rows.get(from);
  let nRows = 0;
  for (const segment of segments.toSorted((a, b) => span(a) - span(b))) {
    segment.isFree = back.has(segment) || nRows + span(segment) > MOST_ROWS;
    if (!segment.isFree) nRows += span(segment);
    segment.text = segment.isLabelled ? textOf(segment) : "";
  }
  return Object.assign(level, byDagre(level.nodes, segments, rows));
}

/** Set where nodes stand and what points segments pass; return the size of all. */
function byDagre(nodes, segments, rows) {
  const numberOf = new Map([...nodes.keys()].map((key, index) => [key, index]));
  const boxes = [...nodes].map(([key, { width, height }]) => [width, height, rows.get(key)]);
  const routed = segments.filter(({ isFree }) => !isFree);
  const edges = routed.map(({ from, to, text }) => [numberOf.get(from), numberOf.get(to), columns(text)]);
  const found = remembered(JSON.stringify([boxes, edges]), () => arranged(boxes, edges));
  [...nodes.values()].forEach((node, index) => Object.assign(node, found.corners[index]));
  for (const segment of segments) Object.assign(segment, { points: [], textAt: null });
  routed.forEach((segment, index) => Object.assign(segment, found.paths[index]));
  return found.size;
}

/** Layers of a network are alike, and most stay as they are when another one opens. */
function remembered(key, compute) {
  const value = known.get(key) ?? compute();
  known.delete(key);
  known.set(key, value);
  if (known.size > MOST_KNOWN) known.delete(known.keys().next().value);
  return value;
}

/** `boxes` as [width, height, row] and `edges` as [from, to, columns of the text], laid out. */
function arranged(boxes, edges) {
  const graph = new Graph({ multigraph: true });
  // dagre halves the distance and doubles the rows, to have rows for labels of edges.
  const ranker = (ready) => ready.nodes().forEach((key) => Object.assign(ready.node(key), { rank: 2 * (boxes[key]?.[2] ?? -1) }));
  graph.setGraph({ rankdir: "TB", nodesep: 20, edgesep: 14, ranksep: 40, ranker });
  boxes.forEach(([width, height], index) => graph.setNode(String(index), { width, height }));
  edges.forEach(([from, to, n], index) => {
    const label = n && { width: textWidth(n), height: LABEL_HEIGHT, labelpos: "r", labeloffset: 4 };
    graph.setEdge(String(from), String(to), { ...label }, String(index));
  });
  layout(graph);
  const corners = boxes.map(([width, height], index) => {
    const { x, y } = graph.node(String(index));
    return { x: x - width / 2, y: y - height / 2 };
  });
  const paths = edges.map(([from, to, n], index) => {
    const { points, x, y } = graph.edge(String(from), String(to), String(index));
    return { points, textAt: n ? { x, y } : null };
  });
  return bounded(boxes, edges, { corners, paths });
}

/** The same with all at the right of 0, lines as well, which dagre does not count; and its size. */
function bounded(boxes, edges, { corners, paths }) {
  const points = paths.flatMap((path) => path.points.map(({ x }) => x));
  const texts = paths.flatMap(({ textAt }, index) => (textAt ? textAt.x + textWidth(edges[index][2]) / 2 : []));
  const least = Math.min(...corners.map(({ x }) => x), ...points);
  const most = Math.max(...corners.map(({ x }, index) => x + boxes[index][0]), ...points, ...texts);
  const height = Math.max(...corners.map(({ y }, index) => y + boxes[index][1]));
  const moved = (point) => ({ x: point.x - least, y: point.y });
  return {
    size: { width: most - least, height },
    corners: corners.map(moved),
    paths: paths.map((path) => ({ points: path.points.map(moved), textAt: path.textAt && moved(path.textAt) })),
  };
}

function textWidth(n) {
  return n * LETTER.small + 8;
}

function textOf({ edges, isEnd }) {
  const links = edges.flatMap((edge) => edge.links);
  const isMerged = isEnd && edges.some(({ source, target }) => source.children || target.children);
  return edgeText(links, isMerged);
}

function boxOf(item) {
  const lines = linesOf(item);
  const widths = lines.map((line) => columns(line.text) * (LETTER[line.class] ?? LETTER.small));
  // The sign of a group that it can be opened stands beside the title.
  const sign = item.children ? 20 : 0;
  return { lines, width: Math.max(64, ...widths) + PADDING.x + sign, height: lines.length * LINE + PADDING.y };
}

/** The frame of a group, and where in it the content begins; ports need no room beside their rows. */
function frameOf({ width, height, first, last }, { name }) {
  const inner = Math.max(width, columns(shortened(name, true)) * LETTER.title + 40);
  const [above, below] = [first, last].map((ports) => (ports.size ? 0 : FRAME));
  return {
    inset: { x: (inner - width) / 2 + FRAME, y: HEADER + above },
    width: inner + 2 * FRAME,
    height: HEADER + above + height + below,
  };
}
