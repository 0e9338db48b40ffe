// How the histograms of one name went over the steps, as one picture.

import { el, replace } from "./dom.js";
import { count, number } from "./format.js";
import { bucketAt, bySteps, cellShares, stepSpans } from "./heat_data.js";
import { plotFrame, pointIn } from "./plot_frame.js";
import { linear } from "./scales.js";
import { colour, onThemeChange } from "./theme.js";

const HEIGHT = 220;
const N_CELLS = 60;
const MOST_STEPS = 600;

/** `limits` = { low, high } of the values, the same for all pictures that are compared. */
export function heatmap({ histograms, limits, steps: range, label, signal }) {
  const shown = bySteps(histograms, MOST_STEPS);
  const spans = stepSpans(shown.map((one) => one.step));
  const shares = shown.map((one) => cellShares(one, limits, N_CELLS));
  const largest = Math.max(...shares.map((column) => Math.max(...column))) || 1;
  const tip = el("div", { class: "tip", hidden: true });
  const canvas = el("canvas", { class: "heat-cells", "aria-hidden": "true" });
  const node = el("div", { class: "heat" });
  const xScale = linear(range[0], range[1]);
  const yScale = linear(limits.low, limits.high);
  let frame = null;

  function draw() {
    if (!node.clientWidth) return;
    frame = plotFrame({ width: node.clientWidth, height: HEIGHT, xScale, yScale, label });
    replace(node, frame.node, canvas, tip);
    const { left, top, width, height } = frame.area;
    const ratio = devicePixelRatio;
    Object.assign(canvas, { width: width * ratio, height: height * ratio });
    Object.assign(canvas.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    const ctx = canvas.getContext("2d");
    ctx.fillStyle = colour("--line");
    shares.forEach((column, index) => {
      const [x0, x1] = spans[index].map((step) => Math.round(xScale.at(step) * canvas.width));
      column.forEach((share, cell) => {
        if (!share) return;
        // By the square root: what is rare stays to be seen.
        ctx.globalAlpha = Math.sqrt(share / largest);
        const [y0, y1] = [cell + 1, cell].map((edge) => Math.round((1 - edge / N_CELLS) * canvas.height));
        ctx.fillRect(x0, y0, Math.max(1, x1 - x0), Math.max(1, y1 - y0));
      });
    });
  }

  node.addEventListener("pointermove", (event) => {
    const [px, py] = pointIn(node, event);
    const { left, top, width, height } = frame.area;
    const [x, y] = [(px - left) / width, 1 - (py - top) / height];
    const step = range[0] + x * (range[1] - range[0]);
    const at = spans.findIndex(([from, to]) => step >= from && step <= to);
    tip.hidden = at < 0 || y < 0 || y > 1;
    if (tip.hidden) return;
    replace(tip, tipRows(shown[at], limits.low + y * (limits.high - limits.low)));
    tip.style.left = `${Math.max(0, Math.min(node.clientWidth - tip.offsetWidth, px > node.clientWidth / 2 ? px - tip.offsetWidth - 12 : px + 12))}px`;
  });
  node.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
  const sizes = new ResizeObserver(draw);
  sizes.observe(node);
  onThemeChange(draw, signal);
  signal.addEventListener("abort", () => sizes.disconnect());
  return node;
}

function tipRows(histogram, value) {
  const n = histogram.counts.reduce((a, b) => a + b, 0);
  const bucket = bucketAt(histogram, value);
  return [
    row("step", number(histogram.step, 15)),
    row("values", count(n)),
    histogram.n_non_finite > 0 && row("not finite", count(histogram.n_non_finite)),
    bucket && row(`${number(bucket.low, 4)} to ${number(bucket.high, 4)}`, count(bucket.count)),
  ];
}

function row(what, text) {
  return el("div", {}, el("span", {}, what), el("b", {}, text));
}
