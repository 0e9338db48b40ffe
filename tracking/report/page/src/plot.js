// Small drawings of a few numbers: lines in a table, the history of a metric, histograms.

import { el, svg } from "./dom.js";
import { count, decoded, number, when } from "./format.js";
import { label, tone } from "./verdicts.js";

/** A line without axes; null where there are fewer than two numbers. */
export function sparkline(values, { width = 84, height = 20 } = {}) {
  const numbers = thinned(values.map(decoded), width);
  const place = scaled(numbers, height);
  if (numbers.filter(Number.isFinite).length < 2) return null;
  const x = (index) => (1.5 + (index * (width - 3)) / (numbers.length - 1)).toFixed(1);
  let isDown = false;
  const path = numbers.map((value, index) => {
    if (!Number.isFinite(value)) {
      isDown = false;
      return "";
    }
    const command = isDown ? "L" : "M";
    isDown = true;
    return `${command}${x(index)} ${place(value)}`;
  });
  const last = numbers.findLastIndex(Number.isFinite);
  return svg(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    svg("path", { d: path.join("") }),
    svg("circle", { cx: x(last), cy: place(numbers[last]), r: 1.8 }),
  );
}

/** What a metric came to in each run of its test, oldest first. */
export function historyStrip(history) {
  const [width, height] = [Math.max(history.length, 12) * 16, 44];
  const place = scaled(history.map(({ value }) => decoded(value)), height, 8);
  const x = (index) => 8 + index * 16 + (Math.max(history.length, 12) - history.length) * 16;
  const known = history
    .map(({ value }, index) => [x(index), decoded(value)])
    .filter(([, value]) => Number.isFinite(value));
  const points = history.map((past, index) => {
    const y = Number.isFinite(decoded(past.value)) ? place(decoded(past.value)) : height - 6;
    return pastMark(past, { x: x(index), y, height });
  });
  const head = el(
    "div",
    { class: "strip-head" },
    el("span", {}, `Tail of the last ${count(history.length)} runs`),
    history.some((past) => past.is_accepted) && el("span", {}, el("i"), "accepted"),
  );
  const strip = el(
    "div",
    { class: "strip", tabindex: "0", role: "group", "aria-label": "Earlier runs" },
    svg(
      "svg",
      { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": historyText(history) },
      svg("polyline", { points: known.map(([at, value]) => `${at},${place(value)}`).join(" ") }),
      points,
    ),
  );
  return [head, strip];
}

/** An earlier run at a place of a picture: its verdict, whether it was accepted, all in its title. */
export function pastMark(past, { x, y, height, top = 0, width = 16 }) {
  return svg(
    "g",
    { class: `past tone-${tone(past.verdict)}`, transform: `translate(${x} ${y})` },
    svg("title", {}, pastText(past)),
    svg("rect", { class: "target", x: -width / 2, y: top - y, width, height }),
    past.is_accepted && svg("circle", { class: "ring", r: 6 }),
    svg("path", { class: "mark", d: MARKS[tone(past.verdict)] }),
  );
}

// A verdict is told by its shape too.
const MARKS = {
  none: "M-2.5 0a2.5 2.5 0 105 0a2.5 2.5 0 10-5 0",
  pass: "M-3 0a3 3 0 106 0a3 3 0 10-6 0",
  show: "M0-4L4 3H-4z",
  warn: "M0-4L4 0 0 4-4 0z",
  fail: "M-3.5-3.5h7v7h-7z",
};

export function pastText(past) {
  return [
    `run ${past.run_id}, ${when(past.created_at)}`,
    past.value === null ? "no finite value" : number(past.value),
    label(past.verdict),
    past.is_accepted && "accepted",
    past.commit && `commit ${past.commit.slice(0, 12)}`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function historyText(history) {
  const accepted = history.filter((past) => past.is_accepted).length;
  return `${count(history.length)} runs, ${count(accepted)} of them accepted; the last: ${pastText(history.at(-1))}`;
}

/** Bars over the edges, all in the same limits: `limits` = { low, high, tallest } per unit. */
export function bars({ edges, counts }, limits, title) {
  const [width, height] = [400, 120];
  const span = limits.high - limits.low || 1;
  const x = (edge) => ((decoded(edge) - limits.low) / span) * width;
  const all = densities({ edges, counts });
  const tallest = Math.max(...all.filter(Number.isFinite)) || 1;
  return svg(
    "svg",
    { class: "bars", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": title },
    all.map((density, index) => {
      const left = x(edges[index]);
      const wide = x(edges[index + 1]) - left;
      const tall = (density / tallest) * height;
      if (![left, wide, tall].every(Number.isFinite)) return null;
      const gap = Math.min(0.75, wide / 8);
      return svg(
        "rect",
        { x: left + gap, y: height - tall, width: Math.max(0.5, wide - 2 * gap), height: tall },
        svg("title", {}, `${number(edges[index])} to ${number(edges[index + 1])}: ${count(counts[index])}`),
      );
    }),
  );
}

/** Counts per unit of the axis, so that wide buckets do not look fuller than they are. */
function densities({ edges, counts }) {
  return counts.map((n, index) => n / (decoded(edges[index + 1]) - decoded(edges[index]) || 1));
}

/** Limits of the axis in which all histograms of a series can be compared. Heights are each one's
 *  own: when all values of a step lie close, those of the others would be flat beside it. */
export function histogramLimits(histograms) {
  const edges = histograms.flatMap((one) => one.edges.map(decoded)).filter(Number.isFinite);
  const largest = (numbers) => numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  return { low: -largest(edges.map((edge) => -edge)), high: largest(edges) };
}

function scaled(values, height, room = 3) {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const span = high / 2 - low / 2;
  const share = (value) => (span > 0 ? (value / 2 - low / 2) / span : 0.5);
  return (value) => Number((height - room - share(value) * (height - 2 * room)).toFixed(1));
}

function thinned(values, most) {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, k) => values[Math.round((k * (values.length - 1)) / (most - 1))]);
}
