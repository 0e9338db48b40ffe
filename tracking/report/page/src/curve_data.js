// Curves of runs as the server has them, kept up to date and laid along an axis. Pure.

import { decoded } from "./format.js";

/** Points that all lines of a chart have together: more are no clearer, and slow. */
const MOST_POINTS = 60_000;
const FEWEST = 100;

/** How many points to ask for of each of `n` runs in a chart so many pixels wide. */
export function pointsFor(width, n) {
  return Math.round(Math.max(FEWEST, Math.min(2 * width, MOST_POINTS / Math.max(1, n))));
}

/** Whether a curve was asked for with so few points that more would show something. */
export function isCoarse(curve, wanted) {
  return curve.n > curve.steps.length && wanted > 1.5 * curve.asked;
}

/** Whether a curve has grown so much that it has to be thinned again. */
export function isOvergrown(curve) {
  return curve.steps.length > Math.max(2.5 * curve.asked, curve.asked + 500);
}

/** A curve with points that came since, `n_new` before they were thinned; known ones are left out. */
export function extended(curve, more) {
  const last = curve.steps.at(-1) ?? -Infinity;
  const from = more.steps.findIndex((step) => step > last);
  if (from < 0) return curve;
  const join = (key) => [...curve[key], ...more[key].slice(from)];
  return { ...curve, n: curve.n + more.n_new - from, steps: join("steps"), values: join("values"), times: join("times") };
}

/** A curve, with the part of it that `finer` covers taken from there. */
export function refined(whole, finer) {
  if (!finer?.steps.length) return whole;
  const [first, last] = [finer.steps[0], finer.steps.at(-1)];
  const join = (key) => [
    ...whole[key].filter((_, place) => whole.steps[place] < first),
    ...finer[key],
    ...whole[key].filter((_, place) => whole.steps[place] > last),
  ];
  return { ...whole, steps: join("steps"), values: join("values"), times: join("times") };
}

/** { kind, metric } of what the address says of the axis. */
export function axisOf(x) {
  if (x.startsWith("metric:")) return { kind: "metric", metric: x.slice("metric:".length) };
  return { kind: ["relative", "wall"].includes(x) ? x : "step", metric: null };
}

/** Where the points of a curve lie on an axis: numbers, NaN for those it has no place for. */
export function placesOf(curve, kind, { startedAt, other }) {
  if (kind === "relative") return curve.times.map((time) => time - startedAt);
  if (kind === "wall") return curve.times;
  if (kind === "metric") return curve.steps.map((step) => valueAt(other, step));
  return curve.steps;
}

/** What a curve has at a step, between two points by a straight line; NaN outside. */
export function valueAt(curve, step) {
  if (!curve?.steps.length) return NaN;
  const { steps, values } = curve;
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  if (low === steps.length) return NaN;
  const after = decoded(values[low]);
  if (steps[low] === step) return after;
  if (low === 0) return NaN;
  const before = decoded(values[low - 1]);
  return before + ((after - before) * (step - steps[low - 1])) / (steps[low] - steps[low - 1]);
}

/** Points that an axis has a place for: [places, values]. */
export function placed(places, values) {
  const kept = places.map((place, index) => (Number.isFinite(place) ? index : -1)).filter((index) => index >= 0);
  return kept.length === places.length ? [places, values] : [kept.map((index) => places[index]), kept.map((index) => values[index])];
}

/** The steps that lie between two places of an axis, with a margin: smoothing begins before. */
export function stepsBetween(lines, [low, high]) {
  let [first, last] = [Infinity, -Infinity];
  for (const { places, steps } of lines) {
    places.forEach((place, index) => {
      if (place < low || place > high) return;
      first = Math.min(first, steps[Math.max(0, index - 1)]);
      last = Math.max(last, steps[Math.min(steps.length - 1, index + 1)]);
    });
  }
  if (!(first <= last)) return null;
  const margin = Math.ceil((last - first) / 4);
  return [Math.floor(first - margin), Math.ceil(last + margin)];
}
