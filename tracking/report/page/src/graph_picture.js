// The drawing of a laid out computation graph, as SVG.

import { svg } from "./dom.js";
import { HEADER } from "./graph_place.js";
import { shortened } from "./graph_words.js";

const LINE = 16;
const ARROW = { length: 7, width: 3.5 };

/**
 * Returns { node, elementOf: by item the element that takes clicks and focus, countOf: by closed group
 * the text that says how many, lineOf: by line its element }.
 */
export function pictureOf(laid) {
  const elementOf = new Map();
  const lineOf = new Map();
  for (const line of laid.lines) lineOf.set(line, lineElement(line));
  for (const frame of laid.frames) elementOf.set(frame.group, header(frame));
  for (const box of laid.boxes) elementOf.set(box.item, boxElement(box));
  const node = svg(
    "g",
    { class: "world" },
    laid.frames.map(({ x, y, width, height }) => svg("rect", { class: "frame", x, y, width, height, rx: 8 })),
    [...lineOf.values()],
    [...elementOf.values()],
    laid.lines.map(lineTexts),
  );
  const closed = laid.boxes.filter(({ item }) => item.children);
  const countOf = new Map(closed.map(({ item }) => [item, elementOf.get(item).querySelector(".count")]));
  return { node, elementOf, countOf, lineOf };
}

function boxElement({ item, x, y, width, height, lines }) {
  const isGroup = Boolean(item.children);
  return svg(
    "g",
    {
      class: classOf(item),
      transform: `translate(${x} ${y})`,
      role: "button",
      tabindex: "-1",
      "aria-expanded": isGroup && "false",
      "aria-pressed": !isGroup && "false",
    },
    isGroup && svg("rect", { class: "behind", x: 5, y: 5, width, height, rx: 8 }),
    svg("rect", { class: "shape", width, height, rx: isGroup ? 8 : cornerOf(item, height) }),
    isGroup && sign("M10 15h8M14 11v8"),
    // The spaces part the words for those who hear them.
    lines.map(({ text, class: own }, index) => [svg("text", { class: own, x: width / 2, y: (height - LINE * lines.length) / 2 + LINE * index + 12 }, text), " "]),
  );
}

function classOf(item) {
  if (item.children) return `item box box-group${item.nMarked ? " is-marked" : ""}`;
  return `item box box-${item.kind}${item.mark ? ` is-marked is-${item.mark}` : ""}`;
}

function cornerOf({ kind }, height) {
  return kind === "operation" ? 5 : height / 2;
}

function sign(d) {
  return svg("path", { class: "sign", d });
}

function header({ group, x, y, width }) {
  return svg(
    "g",
    { class: "item head", transform: `translate(${x} ${y})`, role: "button", tabindex: "-1", "aria-expanded": "true" },
    svg("path", { class: "shape", d: `M0 ${HEADER}V8a8 8 0 018-8H${width - 8}a8 8 0 018 8V${HEADER}z` }),
    sign("M10 13h8"),
    svg("text", { class: "title", x: width / 2, y: 17 }, shortened(group.name, true)),
  );
}

function lineElement({ points, isFree, isEnd }) {
  const [start, end] = [points[0], points.at(-1)];
  const bend = isFree ? Math.min(160, Math.max(40, Math.abs(end.y - start.y) / 2)) : 0;
  const path = isFree ? `C${start.x} ${start.y + bend} ${end.x} ${end.y - bend} ${end.x} ${end.y}` : rounded(points);
  return svg(
    "g",
    { class: `line${isFree ? " is-free" : ""}` },
    svg("path", { d: `M${start.x} ${start.y}${path}` }),
    isEnd && svg("path", { class: "arrow", d: arrow(end, isFree ? { x: end.x, y: end.y - bend } : (points.at(-2) ?? start)) }),
  );
}

/** Through the middles between points, so that no corner is left. */
function rounded(points) {
  const [end] = points.slice(-1);
  const curves = points.slice(1, -1).map((point, index) => {
    const following = points[index + 2];
    const isLast = index === points.length - 3;
    const to = isLast ? end : { x: (point.x + following.x) / 2, y: (point.y + following.y) / 2 };
    return `Q${point.x} ${point.y} ${to.x} ${to.y}`;
  });
  return curves.length ? curves.join("") : `L${end.x} ${end.y}`;
}

function arrow(end, from) {
  const length = Math.hypot(end.x - from.x, end.y - from.y) || 1;
  const [x, y] = [(end.x - from.x) / length, (end.y - from.y) / length];
  const [left, right] = [1, -1].map((side) => `${end.x - x * ARROW.length + side * y * ARROW.width} ${end.y - y * ARROW.length - side * x * ARROW.width}`);
  return `M${end.x} ${end.y}L${left}L${right}z`;
}

function lineTexts({ points, text, textAt, ports, isFree }) {
  const end = points.at(-1);
  return [
    text && svg("text", { class: `tensor${isFree ? " is-free" : ""}`, x: textAt.x, y: textAt.y + 4 }, text),
    ports && svg("text", { class: "port", x: end.x - 5, y: end.y - 4 }, ports),
  ];
}
