// Hyper-parameters against metrics: columns, axes, what a selection leaves. Pure.

import { extent } from "./chart_data.js";
import { decoded, flat, number, value as said } from "./format.js";
import { categories, isBetween, isLogBetter, linear, logarithmic } from "./scales.js";

const MOST_CONFIG_SHOWN = 8;
const MOST_METRICS_SHOWN = 3;

/** `runs` as /api/hparams has them; a row has the values of one run by the keys of columns. */
export function rowsOf(runs, statistic) {
  return runs.map((run) => ({
    run,
    values: new Map([
      ...flat(run.hparams ?? {}).map(([name, value]) => [`config:${name}`, value]),
      ...Object.entries(run.metrics).map(([name, summary]) => [
        `metric:${name}`,
        decoded(summary[statistic] ?? null),
      ]),
    ]),
  }));
}

/**
 * All there is in any row: { key, name, isMetric, isNumeric, nValues }, hyper-parameters first;
 * metrics that are called like a hyper-parameter (a learning rate, over its steps) come last.
 */
export function columnsOf(rows) {
  const keys = [...new Set(rows.flatMap(({ values }) => [...values.keys()]))];
  const columns = keys.map((key) => {
    const values = rows.map(({ values: own }) => own.get(key));
    return {
      key,
      name: key.slice(key.indexOf(":") + 1),
      isMetric: key.startsWith("metric:"),
      isNumeric: values.every((value) => !isThere(value) || typeof value === "number"),
      nValues: new Set(values.map((value) => JSON.stringify(value) ?? "")).size,
    };
  });
  const isAlsoConfig = ({ isMetric, name }) => isMetric && keys.includes(`config:${name}`);
  return columns.sort((a, b) => a.isMetric - b.isMetric || isAlsoConfig(a) - isAlsoConfig(b) || (a.name < b.name ? -1 : 1));
}

/**
 * What is shown before the reader chooses: as axes the hyper-parameters that differ and some
 * metrics; `metric` as colour, and upwards over the hyper-parameter `across`, the one with most values.
 */
export function usualChoice(columns) {
  const config = columns.filter((one) => !one.isMetric && one.nValues > 1);
  const metrics = columns.filter((one) => one.isMetric);
  const numeric = config.filter((one) => one.isNumeric);
  const across = (numeric.length ? numeric : config).toSorted((a, b) => b.nValues - a.nValues)[0];
  return {
    keys: [...config.slice(0, MOST_CONFIG_SHOWN), ...metrics.slice(0, MOST_METRICS_SHOWN)].map(({ key }) => key),
    metric: metrics[0]?.key ?? null,
    across: across?.key ?? null,
  };
}

/**
 * The axis of a column: { column, scale, canBeLog }. Of numbers alone it is linear or logarithmic,
 * as `kind` says or as they lie; of anything else every value is a category.
 */
export function axisOf(column, rows, kind = null) {
  const values = rows.map(({ values: own }) => own.get(column.key)).filter(isThere);
  if (!column.isNumeric) {
    return { column, scale: categories(sortedCategories(values)), canBeLog: false };
  }
  const numbers = values.filter(Number.isFinite);
  const above = numbers.filter((one) => one > 0);
  const canBeLog = above.length > 0;
  const isLog = canBeLog && (kind ? kind === "log" : isLogBetter(numbers));
  const scale = numbers.length
    ? (isLog ? logarithmic : linear)(...extent([isLog ? above : numbers]))
    : linear(0, 1);
  return { column, scale, canBeLog };
}

function sortedCategories(values) {
  const distinct = new Map(values.map((one) => [JSON.stringify(one), one]));
  return [...distinct.values()].sort(compared);
}

/** Rows inside of all brushes; a brush is [from, to] in shares of its column's axis. */
export function inBrushes(rows, axes, brushes) {
  const set = axes.flatMap((axis) => {
    const brush = brushes.get(axis.column.key);
    return brush ? [[axis, brush]] : [];
  });
  return rows.filter((row) =>
    set.every(([axis, [from, to]]) => isBetween(placeOf(row, axis), from, to)),
  );
}

/** The share of an axis where a row lies, or null. */
export function placeOf({ values }, { column, scale }) {
  const value = values.get(column.key);
  return isThere(value) ? scale.at(value) : null;
}

/** Rows by a column, `-key` downwards; rows without a value come last either way. */
export function sortedRows(rows, sort) {
  const isDown = sort.startsWith("-");
  const key = sort.replace(/^-/, "");
  const valueOf = (row) => (key === "name" ? row.run.name : row.values.get(key));
  const has = (value) => isThere(value) && !Number.isNaN(value);
  return rows.toSorted((a, b) => {
    const [one, other] = [valueOf(a), valueOf(b)];
    if (!has(one) || !has(other)) return has(other) - has(one);
    return isDown ? compared(other, one) : compared(one, other);
  });
}

/**
 * The row whose line passes nearest to a point, or null where none passes within `reach`.
 *
 * `xs` are the places of the axes, `ys` of each row its places on them (null for none), all in
 * pixels. Only lines between the two axes on either side of the point count.
 */
export function nearestLine(rows, xs, ys, [x, y], reach = 8) {
  const right = xs.findIndex((one) => one >= x);
  const at = Math.max(1, right < 0 ? xs.length - 1 : right);
  if (xs.length < 2 || x < xs[0] - reach || x > xs.at(-1) + reach) return null;
  const share = Math.max(0, Math.min(1, (x - xs[at - 1]) / (xs[at] - xs[at - 1])));
  let best = null;
  let away = reach;
  rows.forEach((row, index) => {
    const [from, to] = [ys[index][at - 1], ys[index][at]];
    const distance = Math.abs(from * (1 - share) + to * share - y);
    if (distance < away) [best, away] = [row, distance];
  });
  return best;
}

/** What a row has in a column, in words. */
export function valueText(column, { values }) {
  const own = values.get(column.key);
  if (own === undefined || own === null) return "–";
  return typeof own === "number" ? number(own) : said(own);
}

function compared(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== typeof b) return typeof a < typeof b ? -1 : 1;
  const [one, other] = typeof a === "string" ? [a, b] : [JSON.stringify(a), JSON.stringify(b)];
  return one < other ? -1 : Number(one > other);
}

function isThere(value) {
  return value !== undefined && value !== null;
}
