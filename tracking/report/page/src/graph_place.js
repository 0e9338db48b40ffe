// Places in the groups of a computation graph as places in the whole, and where lines end. Pure.

/** The height of the title of a frame. */
export const HEADER = 26;
const [START, END, TEXT] = [6, 12, 10];

/** `levels` as graph_layout.js arranges them; returns { boxes, frames, lines } as told there. */
export function placed(levels, root, corner) {
  const found = { boxes: [], frames: [], lines: [] };
  place(levels, { group: root, corner, frame: null }, found);
  return found;
}

/** `corner` is where the content of a group begins, `frame` what is drawn around it. */
function place(levels, { group, corner, frame }, found) {
  const level = levels.get(group);
  for (const node of level.nodes.values()) {
    Object.assign(node, moved(node, corner));
    if (node.isPort) continue;
    const { item, x, y, width, height, lines, inset } = node;
    if (!levels.has(item)) {
      found.boxes.push({ item, x, y, width, height, lines });
      continue;
    }
    const inner = { group: item, x, y, width, height };
    found.frames.push(inner);
    place(levels, { group: item, corner: moved(inset, node), frame: inner }, found);
  }
  const segments = [...level.segments.values()];
  const ends = endsOf(levels, level, segments, corner, frame);
  for (const [index, segment] of segments.entries()) {
    const { isFree, isEnd, edges, text, textAt, from, to } = segment;
    const { start, end } = ends[index];
    const between = segment.points.slice(1, -1).map((point) => moved(point, corner));
    const middle = textAt ? moved(textAt, corner) : { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 };
    const isFrame = (key) => levels.has(level.nodes.get(key).item);
    if (between.length === 1 && (isFrame(from) || isFrame(to))) {
      // A frame is entered and left anywhere along its side, not in the middle as dagre has it.
      const by = (isFrame(to) ? start.x : end.x) - between[0].x;
      between[0].x += by;
      middle.x += by;
    }
    found.lines.push({
      points: [start, ...upright(start, between, end, textAt && middle), end],
      isFree,
      isEnd,
      edges,
      text,
      textAt: text ? middle : null,
      ports: isEnd ? portsOf(edges, level.nodes.get(to).item) : "",
    });
  }
}

/** Lines leave and arrive upright, and go so past their text. */
function upright(start, between, end, middle) {
  const passed = between.flatMap((point) => (middle && point.y === middle.y ? [-TEXT, TEXT].map((by) => ({ x: point.x, y: point.y + by })) : [point]));
  return passed.length ? [{ x: start.x, y: start.y + START }, ...passed, { x: end.x, y: end.y - END }] : [];
}

function moved({ x, y }, by) {
  return { x: x + by.x, y: y + by.y };
}

/** Where each segment starts and ends. Those of a box are spread along its side, from left to right. */
function endsOf(levels, level, segments, corner, frame) {
  const ends = segments.map(() => ({}));
  const middle = (key) => level.nodes.get(key).x + level.nodes.get(key).width / 2;
  for (const [side, other, name, beside] of [["from", "to", "start", 1], ["to", "from", "end", -2]]) {
    const towards = ({ points, [other]: far }) => (points.length > 2 ? points.at(beside).x + corner.x : middle(far));
    const at = Map.groupBy(segments.keys(), (index) => segments[index][side]);
    for (const [key, indices] of at) {
      const sorted = indices.toSorted((a, b) => towards(segments[a]) - towards(segments[b]));
      for (const [place, index] of sorted.entries()) {
        ends[index][name] = endAt(levels, level.nodes.get(key), { name, frame, port: segments[index].port, share: (place + 1) / (indices.length + 1) });
      }
    }
  }
  return ends;
}

function endAt(levels, node, { name, frame, port, share }) {
  const isStart = name === "start";
  if (node.isPort) return { x: node.x + node.width / 2, y: isStart ? frame.y + HEADER : frame.y + frame.height };
  const y = isStart ? node.y + node.height : node.y;
  const inner = levels.get(node.item)?.nodes.get(`${isStart ? "out" : "in"} ${port}`);
  return { x: inner ? inner.x + inner.width / 2 : node.x + node.width * share, y };
}

/** The numbers of the inputs that an arrow stands for, where an operation has several to tell apart. */
function portsOf(edges, item) {
  if (item.children) return "";
  const drawn = item.inputs.filter(({ source }) => !source.foldedIn);
  const ports = edges.flatMap(({ links }) => links.map(({ port }) => port)).filter((port) => port !== null);
  return drawn.length > 1 || ports[0] > 0 ? ports.join(", ") : "";
}
