// What verdicts mean: how bad they are, what they are called, how they look.

import { el, icon } from "./dom.js";
import { relativeChange } from "./format.js";

/** From the mildest to the worst. */
export const TONES = ["none", "pass", "show", "warn", "fail"];

const TONE_OF = {
  identical: "pass",
  within: "pass",
  improved: "show",
  underpowered: "show",
  new_metric: "show",
  not_comparable: "warn",
  no_baseline: "warn",
  incomplete: "warn",
  graph_changed: "fail",
  regressed: "fail",
  bound_failed: "fail",
  truncated: "fail",
  non_finite: "fail",
  missing_metric: "fail",
  unreadable_baseline: "fail",
};

const SEVERITY = Object.keys(TONE_OF);

export function severity(verdict) {
  return SEVERITY.indexOf(verdict);
}

export function label(verdict) {
  return verdict === null || verdict === undefined ? "not compared" : verdict.replaceAll("_", " ");
}

/** A test looks like what its verdict did to it. */
export function testTone(test) {
  return test.verdict === null && test.action === "pass" ? "none" : test.action;
}

/** A verdict inside a test never looks worse than what was made of it. */
export function tone(verdict, action = "fail") {
  const own = TONE_OF[verdict] ?? "none";
  return TONES.indexOf(own) <= TONES.indexOf(action) ? own : action;
}

export function pill(verdict, toneName) {
  return el("span", { class: `pill tone-${toneName}` }, icon(toneName), el("span", {}, label(verdict)));
}

/** Worst first: what failed, then the worst verdict, then by name. */
export function bySeverity(a, b) {
  return (
    TONES.indexOf(b.action) - TONES.indexOf(a.action) ||
    severity(b.verdict) - severity(a.verdict) ||
    (a.nodeid < b.nodeid ? -1 : 1)
  );
}

/** The check that made the verdict of a test: of several, the one of the largest change. */
export function decidingCheck(test) {
  const size = (check) => Math.abs(relativeChange(check.baseline, check.current) ?? 0);
  const own = test.checks.filter((check) => check.verdict === test.verdict);
  const told = own.filter((check) => check.message);
  const [first, ...others] = told.length ? told : own;
  return others.reduce((best, check) => (size(check) > size(best) ? check : best), first ?? null);
}
