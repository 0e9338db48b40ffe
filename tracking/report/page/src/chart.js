// Curves over an axis: one against what was accepted, or many over each other.

import uPlot from "uplot";

import { drawable, extent, linearRange, logRange, nearestPoint, smoothed, stretch, ticks, wholeRange } from "./chart_data.js";
import { drawAllowances, drawBand, drawDot, drawLine, drawNonFinite, drawReferences, drawSamples, FEW, FONT, inPlot, opacity, placer } from "./chart_paint.js";
import { fillTip, placeTip } from "./chart_tip.js";
import { el } from "./dom.js";
import { clock, duration, number, when } from "./format.js";
import { colour, onThemeChange } from "./theme.js";

const HEIGHT = 230;
const NEAR_PX = 24;
const MOST_DOTTED = 4;
const FAINT = 0.28;

/** What an axis along x can show, and how it is said. */
const AXES = {
  step: { title: "step", say: (x) => number(x, 17) },
  relative: { title: "after", say: (x) => duration(x), values: (splits) => splits.map((one) => duration(one)) },
  wall: {
    title: "at",
    say: (x) => `${when(x).slice(0, 10)} ${clock(x, 60)}`,
    values: (splits) => splits.map((one) => clock(one, splits.at(-1) - splits[0])),
    isTime: true,
  },
  metric: { say: (x) => number(x) },
};

/**
 * Draw a model in `host`: { lines, band, references }. A line is { key, label, property, dash }
 * beside what lineOf() returns; `property` names its colour.
 *
 * Returns what the controls around it turn: `setModel`, `setLog`, `setSmoothing`, `resetZoom`, and
 * `focusOn(key)`, which has one line stand out. `onZoom(range)` is told what the reader zooms to,
 * null for everything; `onPick(key)` which line was clicked, null for none. Charts of one `sync`
 * show one cursor. `axis` is one of AXES; `axisTitle` names a metric along it.
 */
export function drawChart(host, { model: first, smoothing, isLog: isLogFirst = false, axis = "step", axisTitle, sync = null, onZoom, onPick = null, signal }) {
  const tip = el("div", { class: "tip", hidden: true });
  const top = el("canvas", { class: "chart-top", "aria-hidden": "true" });
  const along = { title: axisTitle, ...AXES[axis] };
  let model = first;
  let isLog = isLogFirst;
  let weight = smoothing;
  let zoom = null;
  let pinned = null;
  let hovered = null;
  let pressed = null;
  let curves = [];

  /** Lines beside their values as they are drawn. */
  function prepare() {
    const before = new Map(curves.map((curve) => [curve.line, curve]));
    curves = model.lines.map((line) => {
      const known = before.get(line);
      if (known?.isLog === isLog && known.weight === weight) return known;
      const values = known?.isLog === isLog ? known.values : drawable(line.raw, isLog);
      return { line, values, average: weight ? smoothed(values, weight) : null, isLog, weight };
    });
  }

  function ranges() {
    const band = model.band ? [model.band.ends] : [];
    const x = zoom ?? wholeRange(extent([...model.lines.map((line) => line.ends), ...band]));
    const isHazy = weight > 0 && curves.length > FEW;
    const parts = curves.map(({ line, values, average }) => {
      const [from, to] = stretch(line, ...x);
      return (isHazy ? average : values).slice(from, to + 1);
    });
    const wanted = model.references.flatMap(({ low, high, samples }) => [low, high, ...(samples ?? [])]);
    if (model.band) {
      const [from, to] = stretch(model.band, ...x);
      wanted.push(...model.band.low.slice(from, to + 1), ...model.band.high.slice(from, to + 1));
    }
    const y = (isLog ? logRange : linearRange)(extent([...parts, drawable(wanted, isLog)]));
    return { x, y };
  }

  function show() {
    const { x, y } = ranges();
    chart.batch(() => {
      chart.setData([x, [null, null]], false);
      chart.setScale("x", { min: x[0], max: x[1] });
      chart.setScale("y", { min: y[0], max: y[1] });
      chart.redraw(false, true);
    });
    drawTop();
  }

  function options({ x, y }) {
    return {
      width: host.clientWidth,
      height: HEIGHT,
      padding: [10, hasSamples(model) ? 18 : 10, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: Boolean(along.isTime), auto: false, min: x[0], max: x[1], range: (_, low, high) => [low, high] },
        y: { auto: false, distr: isLog ? 3 : 1, min: y[0], max: y[1], range: (_, low, high) => [low, high] },
      },
      axes: [
        axisOf({ size: 30, space: along.isTime ? 90 : 60, ...(along.values && { values: (_, splits) => along.values(splits) }) }),
        axisOf({
          size: (_, texts) => Math.max(44, 12 + 6.4 * Math.max(0, ...(texts ?? []).map(lengthOf))),
          splits: isLog ? undefined : (u, __, low, high) => ticks(low, high, u.height / 36),
          values: (_, splits) => splits.map((split) => (split === null ? "" : number(split, 4))),
        }),
      ],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false },
        points: { show: false },
        bind: { dblclick: () => () => resetZoom() },
        ...(sync && { sync: { key: sync, scales: ["x", null], filters: { pub: isMove, sub: isMove } } }),
      },
      hooks: {
        drawClear: [drawBelow],
        draw: [drawLines],
        setCursor: [move],
        setSelect: [select],
      },
    };
  }

  function drawBelow(u) {
    const at = placer(u, isLog);
    inPlot(u, (ctx, bbox) => {
      drawAllowances(ctx, model.references, at, bbox);
      if (model.band) drawBand(ctx, model.band, at, bbox.top + bbox.height);
    });
  }

  function drawLines(u) {
    const at = placer(u, isLog);
    const range = [u.scales.x.min, u.scales.x.max];
    const faint = opacity(curves.length);
    const isMany = curves.length > FEW;
    inPlot(u, (ctx, bbox) => {
      const room = curves.length <= MOST_DOTTED ? bbox.width : 0;
      for (const { line, values, average } of curves) {
        const alpha = pinned === null || pinned === line.key ? faint : faint * 0.4;
        const look = { at, range, property: line.property, dash: line.dash, alpha, room, width: isMany ? 1 : 1.6 };
        // Behind many averages what they are made of would only be a haze.
        if (!average || !isMany) drawLine(ctx, line, values, average ? { ...look, alpha: alpha * FAINT } : look);
        if (average) drawLine(ctx, line, average, { ...look, width: isMany ? 1 : 1.9, room: 0 });
      }
      drawReferences(ctx, model.references, at, bbox);
      for (const { line } of curves) {
        drawNonFinite(ctx, line, curves.length > 1 ? line.property : "--non-finite", at, bbox);
      }
    });
    drawSamples(u.ctx, model.references, at, u.bbox);
  }

  /** The line that stands out lies on a canvas of its own: hovering draws no other again. */
  function drawTop() {
    const { width, height } = chart.bbox;
    if (curves.length > 1 && !top.isConnected) chart.over.prepend(top);
    if (top.width !== width || top.height !== height) Object.assign(top, { width, height });
    const ctx = top.getContext("2d");
    ctx.clearRect(0, 0, width, height);
    if (curves.length < 2) return;
    const own = curves.find(({ line }) => line.key === (hovered ?? pinned));
    if (!own) return;
    const at = placer(chart, isLog, [0, 0]);
    const range = [chart.scales.x.min, chart.scales.x.max];
    const shown = own.average ?? own.values;
    drawLine(ctx, own.line, shown, { at, range, property: "--surface", width: 6 });
    drawLine(ctx, own.line, shown, { at, range, property: own.line.property, dash: own.line.dash, width: 2.6 });
    const { left } = chart.cursor;
    const place = hovered !== null && left >= 0 ? nearestPoint(own.line, chart.posToVal(left, "x")) : null;
    if (place === null || shown[place] === null) return;
    ctx.fillStyle = colour(own.line.property);
    drawDot(ctx, at.x(own.line.xs[place]), at.y(shown[place]), 4 * uPlot.pxRatio);
  }

  function move(u) {
    const { left, top: down } = u.cursor;
    // The cursor of another chart moves this one's too; it tells nothing there.
    const isOver = left >= 0 && u.over.matches(":hover");
    const x = isOver ? u.posToVal(left, "x") : null;
    const here = isOver ? atPlace(u, x, down) : [];
    const next = isOver ? nearest(here) : null;
    tip.hidden = !here.length;
    if (here.length) {
      fillTip(tip, { along, here, hovered: next ?? pinned, model, isSmoothed: Boolean(weight) });
      placeTip(tip, u.over, left);
    }
    if (next !== null || hovered !== next) {
      hovered = next;
      drawTop();
    }
  }

  /** The point of each line nearest to `x`, and how far the cursor is from it; of lines that are
   *  not there only the nearest ones count, where there are no others. */
  function atPlace(u, x, down) {
    const all = curves.flatMap(({ line, values, average }) => {
      const place = nearestPoint(line, x);
      if (place === null) return [];
      const drawn = (average ?? values)[place];
      const away = drawn === null ? Infinity : Math.abs(u.valToPos(drawn, "y") - down);
      const beside = Math.abs(line.xs[place] - x);
      const isThere = line.ends[0] <= x && x <= line.ends[1];
      return [{ line, x: line.xs[place], value: line.raw[place], average: average?.[place] ?? null, away, beside, isThere }];
    });
    const edge = all.reduce((least, { beside }) => Math.min(least, beside), Infinity);
    return all.filter(({ isThere, beside }) => isThere || beside === edge);
  }

  function nearest(here) {
    const best = here.reduce((a, b) => (b.away < a.away ? b : a), { away: NEAR_PX, line: { key: null } });
    return best.line.key;
  }

  function select(u) {
    const { left, width } = u.select;
    if (width <= 0) return;
    zoom = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    show();
    onZoom(zoom);
  }

  function resetZoom() {
    zoom = null;
    show();
    onZoom(null);
  }

  let chart = null;
  function draw() {
    chart?.destroy();
    prepare();
    const limits = ranges();
    chart = new uPlot(options(limits), [limits.x, [null, null]], host);
    chart.over.append(tip);
    chart.over.addEventListener("mousedown", (event) => {
      pressed = event.clientX;
    });
    chart.over.addEventListener("click", (event) => {
      const isDrag = Math.abs(event.clientX - pressed) > 3;
      if (!isDrag) onPick?.(hovered);
    });
    drawTop();
  }

  draw();
  const sizes = new ResizeObserver(() => {
    if (!host.clientWidth || host.clientWidth === chart.width) return;
    chart.setSize({ width: host.clientWidth, height: HEIGHT });
    drawTop();
  });
  sizes.observe(host);
  onThemeChange(() => {
    chart.redraw(true, true);
    drawTop();
  }, signal);
  signal.addEventListener("abort", () => {
    sizes.disconnect();
    chart.destroy();
  });
  performance.mark("sgtrack:chart");

  return {
    resetZoom,
    /** Other lines; with them the axis and the smoothing may be others. */
    setModel(next, { isLog: isWanted = isLog, smoothing: wanted = weight } = {}) {
      const isSame = isWanted === isLog && hasSamples(next) === hasSamples(model);
      model = next;
      isLog = isWanted;
      weight = wanted;
      if (!isSame) return draw();
      prepare();
      show();
    },
    setLog(isWanted) {
      isLog = isWanted;
      draw();
    },
    setSmoothing(next) {
      weight = next;
      prepare();
      show();
    },
    focusOn(key) {
      if (key === pinned) return;
      pinned = key;
      show();
    },
  };
}

function hasSamples({ references }) {
  return references.some((line) => line.samples);
}

function isMove(type) {
  return type === "mousemove" || type === "mouseleave" || type === "mouseenter";
}

function lengthOf(text) {
  return String(text).length;
}

function axisOf(options) {
  return {
    stroke: () => colour("--muted"),
    font: FONT,
    grid: { stroke: () => colour("--grid"), width: 1 },
    ticks: { stroke: () => colour("--grid"), width: 1, size: 4 },
    gap: 4,
    ...options,
  };
}
