// From a curve and a band to the columns a chart draws. Pure.

import { decoded } from "./format.js";

/**
 * One row for every point of the curve and every step of the band.
 *
 * In `values` null is a gap and undefined nothing at all: the line goes on past it. `raw` has the
 * values themselves, the non-finite ones too.
 */
export function aligned(curve, band) {
  const columns = { steps: [], raw: [], values: [], low: [], high: [] };
  const bandSteps = band?.steps ?? [];
  let place = 0;

  function add(step, raw, isInBand) {
    columns.steps.push(step);
    columns.raw.push(raw);
    columns.values.push(raw === undefined || Number.isFinite(raw) ? raw : null);
    columns.low.push(isInBand ? decoded(band.low[place]) : undefined);
    columns.high.push(isInBand ? decoded(band.high[place]) : undefined);
    if (isInBand) place += 1;
  }

  (curve?.steps ?? []).forEach((step, index) => {
    while (place < bandSteps.length && bandSteps[place] < step) add(bandSteps[place], undefined, true);
    add(step, decoded(curve.values[index]), bandSteps[place] === step);
  });
  while (place < bandSteps.length) add(bandSteps[place], undefined, true);
  return columns;
}

/** Exponential moving average, free of the pull towards its start; gaps stay gaps. */
export function smoothed(values, weight) {
  let average = 0;
  let seen = 0;
  return values.map((value) => {
    if (value === null || value === undefined) return value;
    average = weight * average + (1 - weight) * value;
    seen += 1;
    return average / (1 - weight ** seen);
  });
}

/** What a logarithmic axis has a place for. */
export function positive(values) {
  return values.map((value) => (value > 0 || value === undefined ? value : null));
}

/** Places of points with a gap on either side, which a line alone would not show. */
export function isolated(values) {
  const places = values.flatMap((value, place) => (value === undefined ? [] : [place]));
  return places.filter(
    (place, at) =>
      values[place] !== null &&
      (values[places[at - 1]] ?? null) === null &&
      (values[places[at + 1]] ?? null) === null,
  );
}

/** The place of the nearest row with a point of the curve, or null. */
export function nearestPoint(raw, place) {
  for (let away = 0; away < raw.length; away += 1) {
    if (raw[place - away] !== undefined) return place - away;
    if (raw[place + away] !== undefined) return place + away;
  }
  return null;
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

// Numbers that are further apart than the largest float have no difference.
const LARGEST = 8e307;

/** Limits of a linear axis, with some room; where there is nothing to show, 0 to 1. */
export function linearRange(lowest, highest) {
  if (!(lowest <= highest)) return [0, 1];
  const [low, high] = [Math.max(lowest, -LARGEST), Math.min(highest, LARGEST)];
  const room = (high - low) * 0.07 || Math.abs(high) * 0.1 || 1;
  return [Math.max(low - room, -LARGEST), Math.min(high + room, LARGEST)];
}

/** Limits of a logarithmic axis: whole powers of ten where the numbers span one. */
export function logRange(lowest, highest) {
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
