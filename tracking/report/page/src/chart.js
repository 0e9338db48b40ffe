// The curve of a metric, drawn against what was accepted.

import uPlot from "uplot";

import {
  aligned,
  isolated,
  linearRange,
  logRange,
  nearestPoint,
  positive,
  references,
  smoothed,
  ticks,
} from "./chart_data.js";
import { el, replace } from "./dom.js";
import { number } from "./format.js";
import { colour, onThemeChange } from "./theme.js";

const HEIGHT = 230;
const FONT = "11px ui-sans-serif, system-ui, sans-serif";
const LABELS = [
  { align: "right", share: 1 },
  { align: "left", share: 0 },
  { align: "center", share: 0.5 },
];
const DASHES = { tail: [6, 4], mean: [2, 3], last: [9, 3, 2, 3] };

/**
 * Draw `metric` in `host`. Returns what the controls around it turn: `setLog`, `setSmoothing`,
 * `resetZoom`; `onZoom(isZoomed)` is told when the reader zooms.
 */
export function drawChart(host, { metric, checks, smoothing, onZoom, signal }) {
  const columns = aligned(metric.curve, metric.band);
  const lines = references(metric, checks);
  const tip = el("div", { class: "tip", hidden: true });
  let isLog = false;
  let weight = smoothing;
  let average = [];
  const whole = stepRange(columns.steps);

  function data() {
    average = weight ? smoothed(columns.values, weight) : columns.values.map(() => undefined);
    const shown = [columns.values, average, columns.low, columns.high];
    return [columns.steps, ...(isLog ? shown.map(positive) : shown)];
  }

  function valueRange(_, lowest, highest) {
    const wanted = lines.flatMap(({ low, high, samples }) => [low, high, ...(samples ?? [])]);
    const all = [lowest, highest, ...wanted].filter((v) => v !== null && (!isLog || v > 0));
    const range = isLog ? logRange : linearRange;
    return range(Math.min(...all), Math.max(...all));
  }

  const options = () => ({
    width: host.clientWidth,
    height: HEIGHT,
    padding: [10, lines.some((line) => line.samples) ? 18 : 10, 0, 0],
    legend: { show: false },
    scales: {
      x: { time: false },
      y: { distr: isLog ? 3 : 1, range: valueRange },
    },
    axes: [
      axis({ size: 30, space: 60 }),
      axis({
        size: (_, texts) => Math.max(44, 12 + 6.4 * Math.max(0, ...(texts ?? []).map(lengthOf))),
        splits: isLog ? undefined : (u, __, low, high) => ticks(low, high, u.height / 36),
        values: (_, splits) => splits.map((split) => (split === null ? "" : number(split, 4))),
      }),
    ],
    series: [
      {},
      {
        stroke: () => colour(weight ? "--line-faint" : "--line"),
        width: 1.6,
        points: { size: 5, filter: withIsolated },
      },
      { stroke: () => colour("--line"), width: 1.9, points: { show: false } },
      { stroke: () => colour("--band-edge"), width: 1, points: { show: false } },
      { stroke: () => colour("--band-edge"), width: 1, points: { show: false } },
    ],
    bands: [{ series: [4, 3], fill: () => colour("--band") }],
    cursor: { y: false, drag: { x: true, y: false }, points: { show: false } },
    hooks: {
      drawClear: [drawAllowances],
      draw: [drawReferences, drawNonFinite],
      setCursor: [showTip],
      setScale: [(u, key) => key === "x" && onZoom(isZoomed(u))],
    },
  });

  // Without it a point between two gaps would not be seen.
  function withIsolated(u, place, isShown) {
    return isShown ? null : isolated(u.data[place]);
  }

  function isZoomed({ scales: { x } }) {
    return x.min > whole[0] || x.max < whole[1];
  }

  function drawAllowances(u) {
    inPlot(u, (ctx, { left, width }) => {
      ctx.fillStyle = colour("--allowed");
      for (const { low, high } of lines) {
        const [top, bottom] = [high, low].map((v) => place(u, v));
        if (top !== null && bottom !== null) ctx.fillRect(left, top, width, bottom - top);
      }
    });
  }

  function drawReferences(u) {
    inPlot(u, (ctx, { left, top, width }) => {
      ctx.strokeStyle = ctx.fillStyle = colour("--reference");
      ctx.lineWidth = 1.2 * uPlot.pxRatio;
      ctx.font = FONT.replace("11px", `${11 * uPlot.pxRatio}px`);
      ctx.textBaseline = "alphabetic";
      // Round every letter, so that it can be read on top of a curve.
      const halo = { colour: colour("--surface"), width: 4 * uPlot.pxRatio };
      for (const [index, { statistic, at }] of lines.entries()) {
        const y = place(u, at);
        if (y === null) continue;
        ctx.setLineDash(DASHES[statistic].map((size) => size * uPlot.pxRatio));
        stroke(ctx, [left, y], [left + width, y]);
        ctx.setLineDash([]);
        // Side by side, so that lines which lie close leave each other's names readable.
        const { align, share } = LABELS[index % LABELS.length];
        ctx.textAlign = align;
        const x = left + 6 * uPlot.pxRatio + share * (width - 12 * uPlot.pxRatio);
        const above = y - 4 * uPlot.pxRatio;
        const label = above > top + 10 * uPlot.pxRatio ? above : y + 12 * uPlot.pxRatio;
        outlined(ctx, `baseline ${statistic}`, [x, label], halo);
      }
    });
    lines.forEach((line, index) => drawSamples(u, line, index));
  }

  // Right of the plot, so that nothing hides it: from the smallest to the largest sample.
  function drawSamples(u, { samples }, index) {
    if (!samples) return;
    const [top, bottom] = [samples[1], samples[0]].map((value) => place(u, value));
    if (top === null || bottom === null) return;
    const x = u.bbox.left + u.bbox.width + (4 + 5 * index) * uPlot.pxRatio;
    const end = 2 * uPlot.pxRatio;
    u.ctx.save();
    u.ctx.strokeStyle = colour("--reference");
    u.ctx.lineWidth = 1.5 * uPlot.pxRatio;
    stroke(u.ctx, [x, top], [x, bottom]);
    stroke(u.ctx, [x - end, top], [x + end, top]);
    stroke(u.ctx, [x - end, bottom], [x + end, bottom]);
    u.ctx.restore();
  }

  // +inf at the top, -inf at the bottom, NaN as a cross at the bottom.
  function drawNonFinite(u) {
    inPlot(u, (ctx, { top, height }) => {
      ctx.strokeStyle = ctx.fillStyle = colour("--non-finite");
      ctx.lineWidth = 1.6 * uPlot.pxRatio;
      const size = 4 * uPlot.pxRatio;
      columns.raw.forEach((raw, index) => {
        if (raw === undefined || Number.isFinite(raw)) return;
        const x = u.valToPos(columns.steps[index], "x", true);
        const y = raw === Infinity ? top + 2 * size : top + height - 2 * size;
        if (Number.isNaN(raw)) {
          stroke(ctx, [x - size, y - size], [x + size, y + size]);
          stroke(ctx, [x - size, y + size], [x + size, y - size]);
        } else {
          const point = raw > 0 ? -size : size;
          ctx.beginPath();
          ctx.moveTo(x, y + point);
          ctx.lineTo(x - size, y - point);
          ctx.lineTo(x + size, y - point);
          ctx.fill();
        }
      });
    });
  }

  function place(u, value) {
    if (isLog && value <= 0) return null;
    return u.valToPos(value, "y", true);
  }

  function showTip(u) {
    const { left, idx } = u.cursor;
    const isOver = left >= 0 && idx !== null && idx !== undefined;
    tip.hidden = !isOver;
    if (!isOver) return;
    const at = nearestPoint(columns.raw, idx) ?? idx;
    const { steps, raw, low, high } = columns;
    replace(tip, [
      row("step", number(steps[at], 15)),
      raw[at] !== undefined && row("this run", number(raw[at]), "line"),
      weight > 0 && average[at] !== undefined && row("smoothed", number(average[at])),
      low[at] !== undefined && row("accepted", `${number(low[at])} … ${number(high[at])}`, "band"),
      lines.map(({ statistic, at: value }) =>
        row(`baseline ${statistic}`, number(value), "reference"),
      ),
    ]);
    const space = u.over.clientWidth - tip.offsetWidth;
    const beside = left > u.over.clientWidth / 2 ? left - tip.offsetWidth - 12 : left + 12;
    tip.style.left = `${Math.max(0, Math.min(space, beside))}px`;
  }

  let chart = null;
  function draw() {
    const { min, max } = chart ? chart.scales.x : { min: whole[0], max: whole[1] };
    chart?.destroy();
    chart = new uPlot(options(), data(), host);
    chart.over.append(tip);
    chart.setScale("x", { min, max });
  }
  function resetZoom() {
    chart.setScale("x", { min: whole[0], max: whole[1] });
  }
  // uPlot resets by a double click on its own, to where the data are; a single point needs room.
  host.addEventListener("dblclick", () => queueMicrotask(resetZoom), { signal });

  draw();
  const sizes = new ResizeObserver(() => {
    if (host.clientWidth) chart.setSize({ width: host.clientWidth, height: HEIGHT });
  });
  sizes.observe(host);
  onThemeChange(() => chart.redraw(true, true), signal);
  signal.addEventListener("abort", () => {
    sizes.disconnect();
    chart.destroy();
  });
  performance.mark("sgtrack:chart");

  return {
    resetZoom,
    setLog(isWanted) {
      isLog = isWanted;
      draw();
    },
    setSmoothing(next) {
      const { min, max } = chart.scales.x;
      weight = next;
      chart.batch(() => {
        chart.setData(data(), false);
        chart.setScale("x", { min, max });
      });
    },
  };
}

function lengthOf(text) {
  return String(text).length;
}

function axis(options) {
  return {
    stroke: () => colour("--muted"),
    font: FONT,
    grid: { stroke: () => colour("--grid"), width: 1 },
    ticks: { stroke: () => colour("--grid"), width: 1, size: 4 },
    gap: 4,
    ...options,
  };
}

function stepRange(steps) {
  const [first, last] = [steps[0] ?? 0, steps.at(-1) ?? 1];
  return first < last ? [first, last] : [first - 1, last + 1];
}

function inPlot(u, drawing) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  drawing(ctx, bbox);
  ctx.restore();
}

function stroke(ctx, from, to) {
  ctx.beginPath();
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
}

function outlined(ctx, text, [x, y], halo) {
  ctx.save();
  ctx.strokeStyle = halo.colour;
  ctx.lineWidth = halo.width;
  ctx.lineJoin = "round";
  ctx.strokeText(text, x, y);
  ctx.restore();
  ctx.fillText(text, x, y);
}

function row(what, text, key) {
  return el("div", {}, key && el("i", { class: `key key-${key}` }), el("span", {}, what), el("b", {}, text));
}
