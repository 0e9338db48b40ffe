// How runs are called in lists and pickers, and what belongs to one.

import { el, name } from "./dom.js";
import { when } from "./format.js";
import { lookOf, swatch } from "./palette.js";
import { refOf } from "./runs.js";

/** What a picker offers of runs; `look` where they are not drawn in their own. */
export function runChoices(runs, look = null) {
  return runs.map((run) => ({
    id: refOf(run),
    text: `${refOf(run)} · ${run.name}`,
    note: [when(run.started_at), run.verdict ?? run.status].filter(Boolean).join(" · "),
    mark: () => swatch(look ?? lookOf(run)),
  }));
}

/** A link to a run, beside how it is drawn. */
export function runLink(run, store, look = lookOf(run)) {
  const href = store.address({ view: "run", run: refOf(run) });
  return el("a", { class: "run-link", href }, swatch(look), el("span", { class: "muted" }, `${refOf(run)} `), name(run.name));
}

/**
 * What belongs to a run: the runs inside of it, the one it is inside of, and other attempts of its
 * test in its session, each newest first. Pure.
 */
export function relatives(run, all) {
  const isAttempt = (one) =>
    one.name === run.name && one.session !== null && one.session === run.session && one.parent === run.parent;
  return {
    parent: all.find((one) => run.parent !== null && one.uuid === run.parent) ?? null,
    children: all.filter((one) => run.uuid !== null && one.parent === run.uuid),
    attempts: all.filter((one) => one === run || isAttempt(one)),
  };
}

/** The run of the same test that was started before a run, not one that confirmed a verdict; or null. */
export function previousOf(run, all) {
  const before = all.filter((one) => one.name === run.name && one.started_at < run.started_at && !one.confirms);
  return before.reduce((a, b) => (a && a.started_at >= b.started_at ? a : b), null);
}

/** Whether a run goes on and only its curves are longer than before; sides are { run, test }. Pure. */
export function onlyGrew(before, now) {
  const named = ({ run }) => (run?.metrics ?? []).map((metric) => metric.name).sort().join("\n");
  const saved = ({ run }) => ["histograms", "images", "texts", "graphs"].map((kind) => run?.[kind].length).join();
  return (
    before.run.uuid === now.run.uuid &&
    now.run.status === "running" &&
    before.run.is_abandoned === now.run.is_abandoned &&
    named(before.test) === named(now.test) &&
    saved(before.test) === saved(now.test)
  );
}
