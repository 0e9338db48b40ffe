// Where a metric moved over the runs of its test, in words. What was found is said by /api/history
// and `sgtrack drift`: { direction, levels, changes, drift, is_too_short }.

import { el, icon, name } from "./dom.js";
import { counted, pair, percent } from "./format.js";

const TONES = { worse: "fail", better: "pass", small: "none" };
const KINDS = { non_finite: "not finite", finite_again: "finite again" };
const DIRECTIONS = { lower: "lower is better", higher: "higher is better", both: "either way counts" };

/** The changes of a metric that are worth a mark: all but small ones. Pure. */
export function marked(found) {
  return found.changes.filter(({ effect }) => effect !== "small");
}

export function toneOf({ effect }) {
  return TONES[effect];
}

/** What a change is, in few words. Pure. */
export function shortText(change) {
  if (change.kind !== "level") return KINDS[change.kind];
  return change.relative_change === null ? change.effect : percent(change.relative_change);
}

/** A change as a sentence without an end. Pure. */
export function changeText(change) {
  const { kind, effect, last_before: before, first_after: after } = change;
  const where = `between ${runText(before)} and ${runText(after)}`;
  if (kind !== "level") return `${KINDS[kind]} ${where}`;
  return `${[effect, change.relative_change !== null && percent(change.relative_change)].filter(Boolean).join(" ")} ${where}`;
}

/** The number of a run and its commit. Pure. */
export function runText({ run_id: id, commit, is_dirty: isDirty }) {
  return commit ? `run ${id} (${commit.slice(0, 9)}${isDirty ? "-dirty" : ""})` : `run ${id}`;
}

/** What there is to say of a metric beside its name. Pure. */
export function aboutText({ direction, is_too_short: isTooShort, n_non_finite: nNonFinite }) {
  return [DIRECTIONS[direction], nNonFinite > 0 && `${nNonFinite} not finite`, isTooShort && "too few runs to tell whether it moved"].filter(Boolean).join(" · ");
}

/** A list of what changed, for every reader; null where nothing did. `linkTo(run)` is its address, or null. */
export function changesList(found, linkTo) {
  const run = (one) => (linkTo ? el("a", { href: linkTo(one) }, runText(one)) : runText(one));
  const items = marked(found).map((change) => {
    const isLevel = change.kind === "level";
    const [before, after] = isLevel ? pair(change.before, change.after) : [];
    return el(
      "li",
      {},
      el("span", { class: `tone-text tone-${toneOf(change)}` }, icon(toneOf(change)), isLevel ? ` ${change.effect} ` : " ", el("b", {}, shortText(change))),
      isLevel && el("span", { class: "change-values" }, ` ${before} → ${after}`),
      el("span", { class: "muted" }, " between ", run(change.last_before), " and ", run(change.first_after), isLevel && `, ${certainty(change)}`),
    );
  });
  const drift = found.drift && driftItem(found.drift, run);
  return items.length || drift ? el("ul", { class: "changes" }, items, drift) : null;
}

function driftItem(drift, run) {
  const [before, after] = pair(drift.before, drift.after);
  const tone = toneOf(drift);
  return el(
    "li",
    {},
    el("span", { class: `tone-text tone-${tone}` }, icon(tone), ` ${drift.effect} by small steps `, el("b", {}, percent(drift.relative_change))),
    el("span", { class: "change-values" }, ` ${before} → ${after}`),
    el("span", { class: "muted" }, ` in ${counted(drift.n_steps, "step")} since `, run(drift.began_after)),
  );
}

function certainty({ significance, n_before: nBefore, n_after: nAfter }) {
  const sides = `${nBefore} and ${nAfter} runs`;
  return significance === 0 ? `${sides}, exact` : `${sides}, p ${significance}`;
}

/** A metric, its statistic and what is said of it, above a picture. */
export function metricHead({ metric, statistic }, said) {
  return el("div", { class: "card-head" }, el("h3", {}, name(metric)), el("span", { class: "muted" }, statistic), el("span", { class: "muted" }, said));
}
