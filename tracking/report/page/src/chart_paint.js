// What stands in the plot of a chart, painted on its canvas: lines, bands, references, marks.

import uPlot from "uplot";

import { stretch } from "./chart_data.js";
import { colour } from "./theme.js";

export const FONT = "11px ui-sans-serif, system-ui, sans-serif";
const LABELS = [
  { align: "right", share: 1 },
  { align: "left", share: 0 },
  { align: "center", share: 0.5 },
];
const DASHES = { tail: [6, 4], mean: [2, 3], last: [9, 3, 2, 3] };
/** So many lines can be told apart. */
export const FEW = 12;
const DOT_ROOM = 10;
const FAR = 1e6;

const px = (size) => size * uPlot.pxRatio;

/** Where values lie on the canvas; `y` is null for what a logarithmic axis has no place for. */
export function placer({ bbox, scales: { x, y } }, isLog, [left, top] = [bbox.left, bbox.top]) {
  const [low, high] = isLog ? [Math.log10(y.min), Math.log10(y.max)] : [y.min, y.max];
  const share = (value, from, to) => (value / 2 - from / 2) / (to / 2 - from / 2);
  const near = (place) => Math.max(-FAR, Math.min(FAR, place));
  return {
    x: (value) => near(left + share(value, x.min, x.max) * bbox.width),
    y: (value) => {
      if (isLog && !(value > 0)) return null;
      return near(top + (1 - share(isLog ? Math.log10(value) : value, low, high)) * bbox.height);
    },
  };
}

/** Many lines are fainter, so that where they crowd can be seen. */
export function opacity(n) {
  return n <= FEW ? 1 : Math.max(0.22, Math.sqrt(FEW / n) * 0.9);
}

/** Keep `drawing(ctx, bbox)` to the plot. */
export function inPlot({ ctx, bbox }, drawing) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  drawing(ctx, bbox);
  ctx.restore();
}

/** A line's `values`, null for gaps, over its xs; a point between two gaps as a dot. */
export function drawLine(ctx, line, values, { at, range, property, dash = [], width, alpha = 1, room = 0 }) {
  const [first, last] = stretch(line, ...range);
  const dots = [];
  const isRoomy = (last - first) * px(DOT_ROOM) < room;
  let isDown = false;
  ctx.save();
  ctx.globalAlpha = alpha;
  ctx.strokeStyle = ctx.fillStyle = colour(property);
  ctx.lineWidth = px(width);
  ctx.lineJoin = width > 1 ? "round" : "bevel";
  ctx.setLineDash(dash.map(px));
  ctx.beginPath();
  for (let place = first; place <= last; place += 1) {
    const value = values[place];
    if (value === null) {
      isDown = false;
      continue;
    }
    const [x, y] = [at.x(line.xs[place]), at.y(value)];
    if (isDown) ctx.lineTo(x, y);
    else ctx.moveTo(x, y);
    // Without a dot nobody would see it.
    const isAlone = !isDown && (values[place + 1] ?? null) === null;
    if (isAlone || isRoomy) dots.push([x, y]);
    isDown = true;
  }
  ctx.stroke();
  for (const [x, y] of dots) drawDot(ctx, x, y, px(2.4));
  ctx.restore();
}

export function drawDot(ctx, x, y, radius) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
}

/** Between the lowest and the highest of the accepted runs. */
export function drawBand(ctx, band, at, bottom) {
  const y = (value) => at.y(value) ?? bottom;
  const places = band.xs.map((_, place) => place).filter((place) => Number.isFinite(band.low[place]) && Number.isFinite(band.high[place]));
  const edge = (values) => places.map((place) => [at.x(band.xs[place]), y(values[place])]);
  const [low, high] = [edge(band.low), edge(band.high)];
  ctx.fillStyle = colour("--band");
  path(ctx, [...high, ...low.toReversed()]);
  ctx.fill();
  ctx.strokeStyle = colour("--band-edge");
  ctx.lineWidth = px(1);
  for (const points of [low, high]) {
    path(ctx, points);
    ctx.stroke();
  }
}

export function drawAllowances(ctx, references, at, { left, width }) {
  ctx.fillStyle = colour("--allowed");
  for (const { low, high } of references) {
    const [top, bottom] = [high, low].map(at.y);
    if (top !== null && bottom !== null) ctx.fillRect(left, top, width, bottom - top);
  }
}

export function drawReferences(ctx, references, at, { left, top, width }) {
  ctx.strokeStyle = ctx.fillStyle = colour("--reference");
  ctx.lineWidth = px(1.2);
  ctx.font = FONT.replace("11px", `${px(11)}px`);
  ctx.textBaseline = "alphabetic";
  // Round every letter, so that it can be read on top of a curve.
  const halo = { colour: colour("--surface"), width: px(4) };
  for (const [index, { statistic, at: value }] of references.entries()) {
    const y = at.y(value);
    if (y === null) continue;
    ctx.setLineDash(DASHES[statistic].map(px));
    stroke(ctx, [left, y], [left + width, y]);
    ctx.setLineDash([]);
    // Side by side, so that lines which lie close leave each other's names readable.
    const { align, share } = LABELS[index % LABELS.length];
    ctx.textAlign = align;
    const x = left + px(6) + share * (width - px(12));
    const above = y - px(4);
    const label = above > top + px(10) ? above : y + px(12);
    outlined(ctx, `baseline ${statistic}`, [x, label], halo);
  }
}

/** Right of the plot, so that nothing hides it: from the smallest to the largest sample. */
export function drawSamples(ctx, references, at, { left, width }) {
  ctx.save();
  ctx.strokeStyle = colour("--reference");
  ctx.lineWidth = px(1.5);
  for (const [index, { samples }] of references.entries()) {
    const [bottom, top] = (samples ?? []).map(at.y);
    if (top == null || bottom == null) continue;
    const x = left + width + px(4 + 5 * index);
    stroke(ctx, [x, top], [x, bottom]);
    stroke(ctx, [x - px(2), top], [x + px(2), top]);
    stroke(ctx, [x - px(2), bottom], [x + px(2), bottom]);
  }
  ctx.restore();
}

/** +inf at the top, -inf at the bottom, NaN as a cross at the bottom. */
export function drawNonFinite(ctx, { xs, raw }, property, at, { top, height }) {
  ctx.strokeStyle = ctx.fillStyle = colour(property);
  ctx.lineWidth = px(1.6);
  const size = px(4);
  raw.forEach((value, place) => {
    if (Number.isFinite(value)) return;
    const x = at.x(xs[place]);
    const y = value === Infinity ? top + 2 * size : top + height - 2 * size;
    if (Number.isNaN(value)) {
      stroke(ctx, [x - size, y - size], [x + size, y + size]);
      stroke(ctx, [x - size, y + size], [x + size, y - size]);
    } else {
      const point = value > 0 ? -size : size;
      path(ctx, [[x, y + point], [x - size, y - point], [x + size, y - point]]);
      ctx.fill();
    }
  });
}

function path(ctx, points) {
  ctx.beginPath();
  points.forEach(([x, y], index) => (index ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
}

function stroke(ctx, from, to) {
  path(ctx, [from, to]);
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
