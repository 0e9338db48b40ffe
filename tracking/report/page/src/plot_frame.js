// Two axes with their grid, for what is drawn between them.

import { svg } from "./dom.js";

const ROOM = { left: 58, right: 12, top: 10, bottom: 26 };
const ROOM_OF = { tick_x: 92, tick_y: 38 };
const MOST_LETTERS = 11;

/**
 * An `<svg>` of `width` and `height` pixels with axes of two scales. `x` and `y` take shares to
 * pixels, `area` is what lies between the axes.
 */
export function plotFrame({ width, height, xScale, yScale, label }) {
  const area = {
    left: ROOM.left,
    top: ROOM.top,
    width: Math.max(1, width - ROOM.left - ROOM.right),
    height: Math.max(1, height - ROOM.top - ROOM.bottom),
  };
  const x = (share) => area.left + share * area.width;
  const y = (share) => area.top + (1 - share) * area.height;
  const [right, bottom] = [area.left + area.width, area.top + area.height];
  const node = svg(
    "svg",
    { class: "plot-frame", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    yScale.ticks(area.height / ROOM_OF.tick_y).map(([share, words]) => [
      svg("line", { class: "grid", x1: area.left, x2: right, y1: y(share), y2: y(share) }),
      svg("text", { class: "tick tick-y", x: area.left - 6, y: y(share) + 4 }, shortened(words)),
    ]),
    xScale.ticks(area.width / ROOM_OF.tick_x).map(([share, words]) => [
      svg("line", { class: "grid", x1: x(share), x2: x(share), y1: area.top, y2: bottom }),
      svg("text", { class: `tick ${sideOf(share)}`, x: x(share), y: bottom + 17 }, shortened(words)),
    ]),
  );
  return { node, area, x, y };
}

// At the ends words would leave the picture.
function sideOf(share) {
  return share < 0.03 ? "tick-first" : share > 0.97 ? "tick-last" : "tick-x";
}

function shortened(words) {
  return words.length > MOST_LETTERS ? `${words.slice(0, MOST_LETTERS - 1)}…` : words;
}

/** Where in a picture the pointer is, in the pixels it was made with. */
export function pointIn(node, event) {
  const box = node.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
