// What a chart draws, from curves, bands and checks. Pure.

import { decoded } from "./format.js";

/** A line of a chart: `xs`, and beside them the values, those that are not finite too. */
export function lineOf(xs, values) {
  const isSorted = xs.every((x, index) => index === 0 || xs[index - 1] <= x);
  return { xs, raw: values.map(decoded), isSorted, ends: extent([xs]) };
}

/** What can be drawn of values: null is a gap. A logarithmic axis has no place for all of them. */
export function drawable(values, isLog) {
  return values.map((value) => (Number.isFinite(value) && (!isLog || value > 0) ? value : null));
}

/** Exponential moving average, free of the pull towards its start; gaps stay gaps. */
export function smoothed(values, weight) {
  let average = 0;
  let seen = 0;
  return values.map((value) => {
    if (value === null) return null;
    average = weight * average + (1 - weight) * value;
    seen += 1;
    return average / (1 - weight ** seen);
  });
}

/** Where a line is from `low` to `high`, with the points just outside: [first, last]. */
export function stretch({ xs, isSorted }, low, high) {
  if (!isSorted) return [0, xs.length - 1];
  return [Math.max(0, firstFrom(xs, low) - 1), Math.min(xs.length - 1, firstFrom(xs, high))];
}

/** The place of the point nearest to `x`, of equal ones the last; null where there is none. */
export function nearestPoint({ xs, isSorted }, x) {
  if (!xs.length) return null;
  if (!isSorted) {
    const away = (place) => Math.abs(xs[place] - x);
    return xs.reduce((best, _, place) => (away(place) <= away(best) ? place : best), 0);
  }
  const after = firstFrom(xs, x);
  if (after === xs.length) return after - 1;
  const isBefore = after > 0 && x - xs[after - 1] < xs[after] - x;
  if (isBefore) return after - 1;
  return firstFrom(xs, xs[after], true) - 1;
}

/** The first place with at least `x`, or beyond it; the length where there is none. */
function firstFrom(xs, x, isBeyond = false) {
  let [low, high] = [0, xs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBeyond ? xs[middle] <= x : xs[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Smallest and largest of the numbers that lists have; [Infinity, -Infinity] of none. */
export function extent(lists) {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (const value of list) {
      if (value === null || !Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}

/** The lines a curve is compared with: baseline, what it allows, and what its samples had. */
export function references(metric, checks) {
  return checks
    .filter(({ metric: name, statistic }) => name === metric.name && LINES.includes(statistic))
    .filter(({ baseline }) => Number.isFinite(decoded(baseline)))
    .map(({ statistic, baseline, allowance }) => {
      const samples = metric.baseline
        .map(({ summary }) => decoded(summary[statistic]))
        .filter(Number.isFinite);
      const at = decoded(baseline);
      const room = Number.isFinite(decoded(allowance)) ? decoded(allowance) : 0;
      return {
        statistic,
        at,
        low: metric.direction === "lower" ? at : at - room,
        high: metric.direction === "higher" ? at : at + room,
        samples: samples.length > 1 ? [Math.min(...samples), Math.max(...samples)] : null,
      };
    });
}

const LINES = ["tail", "mean", "last"];

/** The band of the accepted runs as a chart draws it; null where there is none. */
export function bandOf(band) {
  return band && { ...lineOf(band.steps, band.low), low: band.low.map(decoded), high: band.high.map(decoded) };
}

/** Limits of an axis along the steps: some room around a single one; where there is none, 0 to 1. */
export function wholeRange([low, high]) {
  if (!(low <= high)) return [0, 1];
  return low < high ? [low, high] : [low - 1, high + 1];
}

// Numbers that are further apart than the largest float have no difference.
const LARGEST = 8e307;

/** Limits of a linear axis, with some room; where there is nothing to show, 0 to 1. */
export function linearRange([lowest, highest]) {
  if (!(lowest <= highest)) return [0, 1];
  const [low, high] = [Math.max(lowest, -LARGEST), Math.min(highest, LARGEST)];
  const room = (high - low) * 0.07 || Math.abs(high) * 0.1 || 1;
  return [Math.max(low - room, -LARGEST), Math.min(high + room, LARGEST)];
}

/** Limits of a logarithmic axis: whole powers of ten where the numbers span one. */
export function logRange([lowest, highest]) {
  if (!(lowest > 0 && lowest <= highest)) return [0.1, 1];
  if (highest / lowest >= 10) {
    return [10 ** Math.floor(Math.log10(lowest)), 10 ** Math.ceil(Math.log10(highest))];
  }
  return [lowest / 1.3, highest * 1.3];
}

/** Round numbers of a linear axis, about `wanted` of them; sizes of any magnitude. */
export function ticks(low, high, wanted) {
  const rough = (high / 2 - low / 2) / (Math.max(wanted, 1) / 2);
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  if (!Number.isFinite(rough) || !(magnitude > 0)) return [low, high];
  const step = [1, 2, 2.5, 5, 10].find((size) => size * magnitude >= rough * 0.999) * magnitude;
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high && found.length < 50; n += 1) {
    found.push(Number((n * step).toPrecision(12)));
  }
  return found;
}
