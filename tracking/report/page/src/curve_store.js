// The curves that charts share: fetched once for all runs of a metric, kept live.

import { isAborted } from "./api.js";
import { extended, isCoarse, isOvergrown } from "./curve_data.js";
import { identityOf, refOf } from "./runs.js";

/** Runs that one question may name. */
const MOST_ASKED = 100;

/** `listener(metrics)` is told which metrics have other curves. */
export function createCurves({ api, live, runs, store, trouble, listener, signal }) {
  const metrics = new Map();

  function of(metric) {
    if (!metrics.has(metric)) metrics.set(metric, { curves: new Map(), wanted: [], points: 0, asking: null, heard: [] });
    return metrics.get(metric);
  }

  /** Have the curves of a metric of some runs, of so many points each. */
  function want(metric, wantedRuns, points) {
    const own = of(metric);
    own.wanted = wantedRuns;
    own.points = points;
    const missing = lacking(own);
    if (!missing.length) return;
    const isAsked = own.asking && missing.every((run) => own.asking.names.has(identityOf(run)));
    if (!isAsked) ask(metric, missing);
  }

  function lacking({ curves, wanted, points }) {
    return wanted.filter((run) => {
      const curve = curves.get(identityOf(run));
      return !curve || curve.isStale || isCoarse(curve, points);
    });
  }

  async function ask(metric, missing) {
    const own = of(metric);
    own.asking?.ending.abort();
    const asking = { ending: new AbortController(), names: new Set(missing.map(identityOf)) };
    own.asking = asking;
    own.heard = [];
    const { points } = own;
    try {
      for (let from = 0; from < missing.length; from += MOST_ASKED) {
        const part = missing.slice(from, from + MOST_ASKED);
        const parameters = { db: store.state.db, metric, runs: part.map(refOf).join(","), points };
        const found = await api.curves(parameters, AbortSignal.any([signal, asking.ending.signal]));
        for (const run of part) {
          const curve = found.runs[refOf(run)]?.curve ?? { n: 0, steps: [], values: [], times: [] };
          own.curves.set(identityOf(run), { ...curve, asked: points, isStale: false });
        }
      }
      // What was said while the answer was on its way may not be in it.
      for (const [identity, more] of own.heard) append(own, identity, more);
      own.asking = null;
      trouble.clear(`curves ${metric}`);
      listener(new Set([metric]));
    } catch (error) {
      if (isAborted(error)) return;
      own.asking = null;
      trouble.show(`curves ${metric}`, `Curves are missing. ${error.message}`, () => want(metric, own.wanted, own.points));
    }
  }

  function append(own, identity, more) {
    const curve = own.curves.get(identity);
    if (!curve) return;
    const longer = extended(curve, more);
    own.curves.set(identity, { ...longer, isStale: curve.isStale || isOvergrown(longer) });
  }

  live.subscribe((events) => {
    const changed = new Set();
    for (const event of events) {
      if (event.database && event.database !== store.state.db) continue;
      if (event.kind === "records") hearRecords(event, changed);
      else if (event.kind === "runs") event.changed.forEach((run) => run.status !== "running" && forget(identityOf(run), changed));
      else if (event.kind === "reload") [...metrics.keys()].forEach((metric) => spoil(metric, null, changed));
    }
    for (const metric of changed) {
      const own = of(metric);
      want(metric, own.wanted, own.points);
    }
    if (changed.size) listener(changed);
  }, signal);

  function hearRecords({ run, metrics: found }, changed) {
    for (const [metric, more] of Object.entries(found)) {
      const own = metrics.get(metric);
      if (!own) continue;
      if (own.asking) own.heard.push([run, more]);
      append(own, run, more);
      changed.add(metric);
    }
  }

  /** A run that has ended is asked for once more: what was heard of it was thinned. */
  function forget(identity, changed) {
    for (const [metric, own] of metrics) if (own.curves.has(identity)) spoil(metric, identity, changed);
  }

  function spoil(metric, identity, changed) {
    const own = of(metric);
    for (const [key, curve] of own.curves) if (identity === null || key === identity) curve.isStale = true;
    changed.add(metric);
  }

  return {
    want,
    /** The curve of a run, null until it is there. */
    curve: (metric, run) => metrics.get(metric)?.curves.get(identityOf(run)) ?? null,
    /** A part of curves in more detail: nothing of it is kept. */
    async part(metric, wantedRuns, [start, end], points, own) {
      const found = new Map();
      for (let from = 0; from < wantedRuns.length; from += MOST_ASKED) {
        const part = wantedRuns.slice(from, from + MOST_ASKED);
        const answer = await api.curves({ db: store.state.db, metric, runs: part.map(refOf).join(","), start, end, points }, own);
        for (const run of part) found.set(identityOf(run), answer.runs[refOf(run)]?.curve ?? null);
      }
      return found;
    },
  };
}
