// Lists of runs: searched, sorted, grouped. Pure.

import { decoded, flat } from "./format.js";

/** Text a search looks in, once for each run as it stands. */
const searchable = new WeakMap();

function textOf(run) {
  if (!searchable.has(run)) {
    const config = flat(run.config ?? {}).map(([key, value]) => `${key}=${value}`);
    const said = [run.name, run.verdict?.replaceAll("_", " "), run.verdict, run.status, run.outcome, run.ended_by, run.commit, run.run_id, ...config];
    searchable.set(run, said.filter((one) => one != null).join("\n").toLowerCase());
  }
  return searchable.get(run);
}

/** The runs in which every word of `q` stands. */
export function fitting(runs, q) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length ? runs.filter((run) => words.every((word) => textOf(run).includes(word))) : runs;
}

const VALUES = {
  name: (run) => run.name,
  verdict: (run) => run.verdict ?? run.status,
  outcome: (run) => run.outcome ?? run.status,
  started_at: (run) => run.started_at,
  duration_s: (run) => run.duration_s,
  commit: (run) => run.commit,
};

/** What a key of an order stands for; `metric:NAME` is what the metric came to. */
export function valueOf(run, key) {
  if (key.startsWith("metric:")) return resultOf(run, key.slice("metric:".length));
  return VALUES[key]?.(run) ?? null;
}

/** The tail of a metric, its last value while the run goes on; null where there is none. */
export function resultOf(run, metric) {
  const { tail, last } = run.summaries?.[metric] ?? {};
  return decoded(tail ?? last ?? null);
}

/** Whether an order by a key begins with the smallest; else with the newest, longest, largest. */
export function isUpFirst(key) {
  return ["name", "verdict", "outcome", "commit"].includes(key);
}

/** Runs in the order of a key; `-key` is the other way round. What has no value stands last. */
export function sorted(runs, sort) {
  const key = sort.replace(/^-/, "");
  const direction = sort.startsWith("-") === isUpFirst(key) ? -1 : 1;
  const isNothing = (value) => value === null || Number.isNaN(value);
  return runs
    .map((run) => [run, valueOf(run, key)])
    .sort(([, a], [, b]) => {
      if (isNothing(a) || isNothing(b)) return isNothing(a) - isNothing(b);
      return direction * (a < b ? -1 : a > b ? 1 : 0);
    })
    .map(([run]) => run);
}

/** The metrics whose names hold every word of a filter, those with most runs first. */
export function metricsLike(runs, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const uses = new Map();
  for (const run of runs) for (const metric of run.metrics ?? []) uses.set(metric, (uses.get(metric) ?? 0) + 1);
  return [...uses]
    .filter(([metric]) => words.every((word) => metric.toLowerCase().includes(word)))
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([metric]) => metric);
}

/** Runs by their name, in the order of each group's first: [[name, runs], …]. */
export function byName(runs) {
  return [...Map.groupBy(runs, (run) => run.name)];
}
