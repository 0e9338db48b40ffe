// Parallel coordinates: an axis for each column, a line for each run.

import { el, name, replace, svg } from "./dom.js";
import { axisBrush } from "./parallel_brush.js";
import { nearestLine, placeOf } from "./hparams_data.js";
import { pointIn } from "./plot_frame.js";
import { colour, onThemeChange } from "./theme.js";

const HEIGHT = 300;
const ROOM = { side: 62, top: 12, bottom: 34 };
const LEAST_SPACE = 104;
const NONE_Y = HEIGHT - 12;
const LETTERS = 13;

/**
 * `onBrush(brushes)`, `onHover(row)` and `onOpen(row)` are told what the reader does; `onKind(key,
 * kind)` that an axis shall be linear or logarithmic. `show` draws, `highlight` puts one row on top.
 */
export function parallelPlot({ onBrush, onHover, onOpen, onKind, signal }) {
  const lines = el("canvas", { "aria-hidden": "true" });
  const above = el("canvas", { "aria-hidden": "true" });
  const axesNode = svg("svg", { role: "group", "aria-label": "Axes; drag along one, or use the arrow keys on it, to filter" });
  const heads = el("div", { class: "axis-heads" });
  const inner = el("div", { class: "parallel-inner" }, heads, el("div", { class: "parallel-plot" }, lines, above, axesNode));
  const node = el("div", { class: "parallel", tabindex: "0", role: "region", "aria-label": "Parallel coordinates" }, inner);
  let shown = { rows: [], chosen: new Set(), axes: [], brushes: new Map(), colourOf: () => "" };
  let xs = [];
  let ys = [];
  let colours = [];
  let hovered = null;
  let isAsked = false;

  function show(next) {
    shown = next;
    place();
    ys = shown.rows.map((row) => shown.axes.map((axis) => pixel(placeOf(row, axis))));
    colours = shown.rows.map(shown.colourOf);
    replace(heads, shown.axes.map(head));
    replace(axesNode, shown.axes.map(axisNode));
    draw();
  }

  function place() {
    const n = shown.axes.length;
    const width = Math.max(node.clientWidth, 2 * ROOM.side + (n - 1) * LEAST_SPACE);
    xs = shown.axes.map((_, index) => (n > 1 ? ROOM.side + (index * (width - 2 * ROOM.side)) / (n - 1) : width / 2));
    inner.style.width = `${width}px`;
    for (const canvas of [lines, above]) {
      canvas.width = width * devicePixelRatio;
      canvas.height = HEIGHT * devicePixelRatio;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${HEIGHT}px`;
    }
    axesNode.setAttribute("width", width);
    axesNode.setAttribute("height", HEIGHT);
  }

  function draw() {
    const ctx = cleared(lines);
    // Lines of one colour are one path: a thousand strokes would take longer than a frame.
    const byColour = new Map([[null, []]]);
    shown.rows.forEach((row, index) => {
      const key = shown.chosen.has(row) ? colours[index] : null;
      if (!byColour.has(key)) byColour.set(key, []);
      byColour.get(key).push(index);
    });
    ctx.lineWidth = 1;
    ctx.strokeStyle = colour("--edge");
    stroke(ctx, byColour.get(null));
    byColour.delete(null);
    // Of many lines none may hide all others.
    ctx.globalAlpha = Math.max(0.3, Math.min(0.9, 40 / shown.chosen.size));
    ctx.lineWidth = 1.5;
    for (const [own, indices] of byColour) {
      ctx.strokeStyle = own;
      stroke(ctx, indices);
    }
    drawHovered();
  }

  function drawHovered() {
    const ctx = cleared(above);
    const index = shown.rows.indexOf(hovered);
    if (index < 0) return;
    for (const [style, width] of [[colour("--surface"), 7], [colours[index], 3.2]]) {
      ctx.strokeStyle = style;
      ctx.lineWidth = width;
      stroke(ctx, [index]);
    }
  }

  function stroke(ctx, indices) {
    ctx.beginPath();
    for (const index of indices) ys[index].forEach((y, at) => (at ? ctx.lineTo(xs[at], y) : ctx.moveTo(xs[at], y)));
    ctx.stroke();
  }

  function highlight(row) {
    if (row === hovered) return;
    hovered = row;
    drawHovered();
  }

  function head({ column, scale, canBeLog }, index) {
    const isLog = scale.kind === "log";
    const space = xs.length > 1 ? xs[1] - xs[0] : 2 * ROOM.side;
    const one = el(
      "div",
      { class: `axis-head${column.isMetric ? " is-metric" : ""}`, title: column.name },
      name(column.name),
      canBeLog && el("button", { type: "button", class: "axis-kind", "aria-pressed": String(isLog), "aria-label": `log axis of ${column.name}`, onclick: () => onKind(column.key, isLog ? "linear" : "log") }, "log"),
    );
    const width = Math.min(space - 6, 2 * Math.min(xs[index], ROOM.side + space / 2));
    one.style.width = `${width}px`;
    one.style.left = `${xs[index] - width / 2}px`;
    return one;
  }

  function axisNode(axis, index) {
    const { column, scale } = axis;
    const hasNone = shown.rows.some((row) => placeOf(row, axis) === null);
    return svg(
      "g",
      { class: "axis", transform: `translate(${xs[index]} 0)` },
      svg("line", { class: "spine", y1: pixel(1), y2: pixel(0) }),
      scale.ticks(9).map(([share, words]) => [
        svg("line", { class: "spine", x1: -4, y1: pixel(share), y2: pixel(share) }),
        svg("text", { class: "tick tick-y", x: -7, y: pixel(share) + 4 }, words.length > LETTERS ? `${words.slice(0, LETTERS - 1)}…` : words),
      ]),
      hasNone && svg("text", { class: "tick tick-y", x: -7, y: NONE_Y + 4 }, "none"),
      axisBrush({ axis, pixel, share: (y) => (HEIGHT - ROOM.bottom - y) / (HEIGHT - ROOM.bottom - ROOM.top), brush: shown.brushes.get(column.key) ?? null, onChange: (brush) => changed(column.key, brush), plot: axesNode }),
    );
  }

  function changed(key, brush) {
    const brushes = new Map(shown.brushes);
    if (brush) brushes.set(key, brush);
    else brushes.delete(key);
    shown = { ...shown, brushes };
    // A pointer tells more often than a screen shows.
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      shown.chosen = new Set(onBrush(shown.brushes));
      draw();
    });
  }

  axesNode.addEventListener("pointermove", (event) => {
    if (event.buttons) return;
    const places = shown.rows.flatMap((row, index) => (shown.chosen.has(row) ? [index] : []));
    const kept = [places.map((index) => shown.rows[index]), places.map((index) => ys[index])];
    const found = nearestLine(kept[0], xs, kept[1], pointIn(axesNode, event));
    axesNode.classList.toggle("is-over", found !== null);
    if (found !== hovered) onHover(found, event);
    highlight(found);
  });
  axesNode.addEventListener("pointerleave", () => {
    onHover(null);
    highlight(null);
  });
  axesNode.addEventListener("click", (event) => {
    if (hovered && !event.target.closest(".axis-brush")) onOpen(hovered);
  });
  const sizes = new ResizeObserver(() => node.clientWidth && show(shown));
  sizes.observe(node);
  onThemeChange(() => {
    colours = shown.rows.map(shown.colourOf);
    draw();
  }, signal);
  signal.addEventListener("abort", () => sizes.disconnect());
  return { node, show, highlight };
}

function pixel(share) {
  return share === null ? NONE_Y : HEIGHT - ROOM.bottom - share * (HEIGHT - ROOM.bottom - ROOM.top);
}

function cleared(canvas) {
  const ctx = canvas.getContext("2d");
  ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  ctx.clearRect(0, 0, canvas.width, canvas.height);
  ctx.globalAlpha = 1;
  ctx.lineJoin = "round";
  return ctx;
}
