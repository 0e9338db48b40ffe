// Graphs by chance, and what is wrong with where their boxes and lines stand.

import { boxesIn, edgesSeen, expanded, groupsAround } from "/src/graph_groups.js";
import { HEADER } from "/src/graph_place.js";

const NAMESPACES = ["", "a", "a/b", "a/b/c", "d", "d/0", "d/1"];

function dice(seed) {
  let state = seed * 7919;
  return (n) => {
    state = (state * 48271) % 2147483647;
    return state % n;
  };
}

/** Up to 61 operations in nested namespaces, one in ten edges leading anywhere, also back. */
export function graphByChance(seed) {
  const random = dice(seed);
  const n = 2 + random(60);
  const nodes = [];
  const edges = [];
  for (let k = 0; k < n; k++) {
    nodes.push({ id: `o${k}`, type: "operation", label: "op".repeat(1 + random(8)) });
    nodes.push({ id: `t${k}`, type: "tensor", shape: [k], namespace: NAMESPACES[random(7)] });
    edges.push({ source: `o${k}`, target: `t${k}` });
    for (let port = 0; port < random(4); port++) {
      const source = random(10) ? random(k + 1) : random(n);
      edges.push({ source: `t${source}`, target: `o${k}`, port });
    }
  }
  return { nodes, edges };
}

export function openByChance(model, seed) {
  const random = dice(seed + 1);
  const open = expanded(model.root, new Set());
  for (const group of [...open]) if (!random(3)) open.delete(group);
  return open;
}

/** Texts: boxes that overlap or leave their frame, boxes that are missing, edges without a line. */
export function faultsOf(model, open, laid) {
  const frames = laid.frames.map((frame) => ({ ...frame, own: frame.group }));
  const places = [...laid.boxes.map((box) => ({ ...box, own: box.item })), ...frames];
  const whole = { x: 0, y: 0, width: laid.width, height: laid.height };
  const faults = places.filter((a) => !isInside(a, whole)).map(({ own }) => `${own.key} is outside`);
  for (const a of places) {
    for (const b of places) {
      const isFramed = groupsAround(a.own).includes(b.own);
      const isFrame = groupsAround(b.own).includes(a.own);
      const isWrong = isFramed ? !isInside(a, b) : a !== b && !isFrame && isOverlapping(a, b);
      if (isWrong) faults.push(`${a.own.key} and ${b.own.key}`);
    }
  }
  const drawn = laid.boxes.flatMap(({ item }) => boxesIn(item));
  if (new Set(drawn).size !== model.boxes.length || drawn.length !== model.boxes.length) faults.push("boxes");
  const missing = edgesSeen(model, open).filter((edge) => !hasLine(edge, laid));
  faults.push(...missing.map(({ source, target }) => `no line ${source.key} ${target.key}`));
  const cut = laid.lines.filter((line) => !line.isEnd && !isGoneOn(line, laid));
  return [...faults, ...cut.map(({ points }) => `cut at ${points.at(-1).x} ${points.at(-1).y}`)];
}

function isOverlapping(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function isInside(a, b) {
  const isWithin = (from, length, start, room) => from >= start - 0.01 && from + length <= start + room + 0.01;
  return isWithin(a.x, a.width, b.x, b.width) && isWithin(a.y, a.height, b.y, b.height);
}

/** Whether a line leaves below the one box and another, or the same, arrives above the other. */
function hasLine({ source, target }, { boxes, lines }) {
  const own = lines.filter(({ edges }) => edges.some((edge) => edge.source === source && edge.target === target));
  const [from, to] = [source, target].map((item) => boxes.find((box) => box.item === item));
  const isAt = (point, box, y) => isNear(point.y, y) && point.x >= box.x && point.x <= box.x + box.width;
  return own.some(({ points }) => isAt(points[0], from, from.y + from.height)) && own.some(({ points, isEnd }) => isEnd && isAt(points.at(-1), to, to.y));
}

/** Whether where a line ends at a frame others go on, below its title or below it. */
function isGoneOn({ points, edges }, { frames, lines }) {
  const end = points.at(-1);
  const isIn = ({ x, y, width, height }) => end.x >= x && end.x <= x + width && (isNear(end.y, y) || isNear(end.y, y + height));
  const following = lines.filter((line) => line.edges.some((edge) => edges.includes(edge)));
  const starts = following.map((line) => line.points[0]).filter(({ x }) => isNear(x, end.x));
  return frames.some(isIn) && starts.some(({ y }) => isNear(y, end.y) || isNear(y, end.y + HEADER));
}

function isNear(a, b) {
  return Math.abs(a - b) < 0.01;
}
