// What differs between two runs, as the server tells it, sorted into what a page shows. Pure.

import { relativeChange } from "./format.js";

const STATISTICS = ["tail", "last", "mean", "min", "max", "std", "n", "n_nan", "n_inf"];
const ENDS = {
  status: "Status",
  outcome: "Outcome",
  phase: "Phase",
  ended_by: "Ended by",
  verdict: "Verdict",
  attempt: "Attempt",
  commit: "Commit",
};

/** Whether the sides of a pair differ; a side that is no key has nothing. */
export function differs(pair) {
  return JSON.stringify(pair.a) !== JSON.stringify(pair.b);
}

/** Pairs of a mapping: { changes, same }, `changes` as a report has them, `same` as [name, value]. */
export function split(pairs) {
  return {
    changes: pairs.filter(differs).map(({ name, ...sides }) => ({
      name,
      ...("a" in sides && { before: sides.a }),
      ...("b" in sides && { after: sides.b }),
    })),
    same: pairs.filter((pair) => !differs(pair)).map(({ name, a }) => [name, a]),
  };
}

/** How two runs ended, as pairs; of a run's row in lists. */
export function endPairs(a, b) {
  return Object.entries(ENDS).map(([key, name]) => ({ name, a: a[key] ?? "–", b: b[key] ?? "–" }));
}

/**
 * Pairs of statistics by metric: [{ metric, pairs, isOnlyIn, change, isDifferent }], the largest
 * relative change of the tail first; `isOnlyIn` is "a", "b" or null.
 */
export function byMetric(pairs) {
  const found = [...Map.groupBy(pairs, (pair) => pair.metric)].map(([metric, own]) => {
    const there = ["a", "b"].filter((side) => own.some((pair) => side in pair));
    const tail = own.find((pair) => pair.statistic === "tail");
    return {
      metric,
      pairs: own.toSorted((x, y) => placeOf(x.statistic) - placeOf(y.statistic)),
      isOnlyIn: there.length === 1 ? there[0] : null,
      change: tail ? relativeChange(tail.a, tail.b) : null,
      isDifferent: own.some(differs),
    };
  });
  const size = ({ isOnlyIn, change }) => (isOnlyIn ? Infinity : Math.abs(change ?? 0));
  return found.sort((x, y) => y.isDifferent - x.isDifferent || size(y) - size(x) || (x.metric < y.metric ? -1 : 1));
}

/** What a reader looks at first; all others after. */
function placeOf(statistic) {
  const place = STATISTICS.indexOf(statistic);
  return place < 0 ? STATISTICS.length : place;
}

/** Numbers of differences by part, for a summary in words. */
export function countsOf({ metrics, config, environment, graph, graph_changes: nodes }) {
  return {
    metrics: byMetric(metrics).filter((one) => one.isDifferent).length,
    config: config.filter(differs).length,
    environment: environment.filter(differs).length,
    graph: Math.max(nodes.length, graph.filter(differs).length),
  };
}
