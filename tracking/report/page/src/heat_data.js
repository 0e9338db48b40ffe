// Histograms over steps as one picture: a column for each step, a cell for each range of values. Pure.

import { decoded } from "./format.js";

/**
 * What of the values of a histogram lies in each of `n_cells` equal parts of the limits, as shares
 * of them all. A bucket is taken to be full to the same level all over.
 */
export function cellShares({ edges, counts }, { low, high }, n_cells) {
  const shares = new Float64Array(n_cells);
  const n = counts.reduce((a, b) => a + b, 0);
  const span = high - low;
  if (!n) return shares;
  counts.forEach((count, index) => {
    const [left, right] = [decoded(edges[index]), decoded(edges[index + 1])];
    if (!count || ![left, right].every(Number.isFinite)) return;
    const [from, to] = span > 0 ? [left, right].map((edge) => ((edge - low) / span) * n_cells) : [0, n_cells];
    const wide = to - from;
    // What lies on a single value is in the cell that has it.
    if (!(wide > 0)) {
      shares[Math.max(0, Math.min(n_cells - 1, Math.floor(from)))] += count / n;
      return;
    }
    const last = Math.min(n_cells - 1, Math.ceil(to) - 1);
    for (let cell = Math.max(0, Math.floor(from)); cell <= last; cell += 1) {
      const overlap = Math.min(to, cell + 1) - Math.max(from, cell);
      shares[cell] += (count / n) * (overlap / wide);
    }
  });
  return shares;
}

/** Where the column of each step begins and ends: half way to its neighbours. Steps ascend. */
export function stepSpans(steps) {
  if (steps.length === 1) return [[steps[0] - 0.5, steps[0] + 0.5]];
  const middles = steps.slice(1).map((step, index) => steps[index] / 2 + step / 2);
  const first = steps[0] - (middles[0] - steps[0]);
  const last = steps.at(-1) + (steps.at(-1) - middles.at(-1));
  const bounds = [first, ...middles, last];
  return steps.map((_, index) => [bounds[index], bounds[index + 1]]);
}

/** The bucket of a histogram that a value lies in: { low, high, count }, or null. */
export function bucketAt({ edges, counts }, value) {
  const at = counts.findIndex((_, index) => value >= decoded(edges[index]) && value <= decoded(edges[index + 1]));
  return at < 0 ? null : { low: edges[at], high: edges[at + 1], count: counts[at] };
}

/** One histogram a step, the last one of a step that has several; of more than `most` steps every nth. */
export function bySteps(histograms, most) {
  const last = [...new Map(histograms.map((one) => [one.step, one])).values()].sort((a, b) => a.step - b.step);
  const every = Math.ceil(last.length / most);
  return every > 1 ? last.filter((_, index) => index % every === 0 || index === last.length - 1) : last;
}
