// A part of an axis that the reader keeps: by drag, or by keys.

import { svg } from "./dom.js";
import { pointIn } from "./plot_frame.js";

const WIDTH = 22;
const LEAST = 0.015;
const STEP = 0.05;

/**
 * The brush of an axis; `pixel` and `share` lead from shares to pixels and back, `brush` is
 * [from, to] or null, `onChange` is told the next. Dragging makes one, dragging it moves it, a click
 * or Escape takes it away; arrows move it, with Shift they move its upper end.
 */
export function axisBrush({ axis, pixel, share, brush, onChange, plot }) {
  const bar = svg("rect", { class: "brush", x: -WIDTH / 2 + 5, width: WIDTH - 10 });
  const area = svg("rect", { class: "brush-area", x: -WIDTH / 2, width: WIDTH, y: pixel(1), height: pixel(0) - pixel(1) });
  const node = svg(
    "g",
    { class: "axis-brush", tabindex: "0", role: "slider", "aria-orientation": "vertical", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": `Filter by ${axis.column.name}` },
    area,
    bar,
  );
  let current = brush;
  let start = null;

  function show() {
    const [from, to] = current ?? [0, 0];
    bar.setAttribute("y", pixel(to));
    bar.setAttribute("height", Math.max(0, pixel(from) - pixel(to)));
    node.classList.toggle("is-set", current !== null);
    node.setAttribute("aria-valuenow", Math.round(50 * (current ? from + to : 1)));
    node.setAttribute("aria-valuetext", current ? axis.scale.text(from, to) : "all");
  }

  function change(next) {
    current = next;
    show();
    onChange(next);
  }

  const at = (event) => snapped(share(pointIn(plot, event)[1]));

  area.addEventListener("pointerdown", begin);
  bar.addEventListener("pointerdown", begin);
  function begin(event) {
    node.setPointerCapture(event.pointerId);
    start = { at: at(event), brush: event.target === bar ? current : null, isMoved: false };
  }
  node.addEventListener("pointermove", (event) => {
    if (!start) return;
    const now = at(event);
    if (Math.abs(now - start.at) < LEAST && !start.isMoved) return;
    start.isMoved = true;
    change(start.brush ? moved(start.brush, now - start.at) : [Math.min(start.at, now), Math.max(start.at, now)]);
  });
  node.addEventListener("pointerup", () => {
    if (start && !start.isMoved && current) change(null);
    start = null;
  });
  node.addEventListener("keydown", (event) => {
    const by = { ArrowUp: STEP, ArrowDown: -STEP }[event.key];
    if (by === undefined && event.key !== "Escape") return;
    if (event.key === "Escape" && !current) return;
    event.preventDefault();
    event.stopPropagation();
    if (by === undefined) change(null);
    else if (!current) change(by > 0 ? [0.5, 1] : [0, 0.5]);
    else change(event.shiftKey ? widened(current, by) : moved(current, by));
  });
  show();
  return node;
}

/** A share inside of the axis; its ends, where many values lie, are easy to hit. */
export function snapped(share) {
  return share < LEAST ? 0 : share > 1 - LEAST ? 1 : share;
}

/** A brush moved by a share, without leaving its axis. */
export function moved([from, to], by) {
  const allowed = Math.max(-from, Math.min(1 - to, by));
  return [from + allowed, to + allowed];
}

/** A brush with its upper end moved. */
export function widened([from, to], by) {
  return [from, Math.max(from + LEAST, Math.min(1, to + by))];
}
