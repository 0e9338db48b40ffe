// One metric of a test: its curve with the controls of it, its history, and all of it in numbers.

import { drawChart } from "./chart.js";
import { bandOf, lineOf, references } from "./chart_data.js";
import { el, icon, name } from "./dom.js";
import { count, counted, decoded, number, pair, when } from "./format.js";
import { disclosure, whenNear } from "./lazy.js";
import { historyStrip } from "./plot.js";
import { table } from "./table.js";
import { label, pill, severity } from "./verdicts.js";

const BETTER = { lower: "lower is better", higher: "higher is better", both: "any change counts" };
const STATISTICS = ["n", "n_nan", "n_inf", "min", "max", "mean", "std", "tail", "last", "first_step", "last_step"];

/**
 * `smoothing` = { weight, subscribe(listener) }: one slider turns all charts of a test. Returns
 * { node, update(metric) }; `update` shows what has come of a run that goes on.
 */
export function metricView(metric, { checks, toneOf, smoothing, signal }) {
  const own = checks.filter((check) => check.metric === metric.name);
  const worst = own.reduce((a, b) => (a && severity(a.verdict) >= severity(b.verdict) ? a : b), null);
  const said = el("p", { class: "facts muted" }, facts(metric));
  const line = curve(metric, { checks: own, smoothing, signal });
  let current = metric;
  const node = el(
    "article",
    { class: "card metric" },
    el(
      "div",
      { class: "card-head" },
      el("h3", {}, name(metric.name)),
      el("span", { class: "muted" }, BETTER[metric.direction]),
      worst && pill(worst.verdict, toneOf(worst)),
    ),
    said,
    line.node,
    metric.history.length > 1 && historyStrip(metric.history),
    disclosure(el("details", {}, el("summary", {}, "Numbers")), () => numbers(current)),
  );
  function update(next) {
    current = next;
    said.textContent = facts(next);
    line.update(next);
  }
  return { node, update };
}

function facts({ summary, curve: line }) {
  if (!summary) return "This run recorded no such metric.";
  const isWhole = !line || line.steps.length === line.n;
  return [
    isWhole ? counted(summary.n, "point") : `${count(line.steps.length)} of ${count(line.n)} points`,
    `last ${number(summary.last)}`,
    `tail ${number(summary.tail)}`,
    summary.n_nan && `${count(summary.n_nan)} NaN`,
    summary.n_inf && `${count(summary.n_inf)} infinite`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function curve(metric, { checks, smoothing, signal }) {
  if (!metric.curve && !metric.band) {
    const why = metric.summary ? "The report has no room for this curve." : "There is no curve.";
    return { node: el("p", { class: "no-chart muted" }, why), update() {} };
  }
  const host = el("div", { class: "chart", role: "img" });
  const log = el("button", { type: "button", class: "button", "aria-pressed": "false", onclick: toggleLog }, "Log");
  const reset = el("button", { type: "button", class: "button", hidden: true }, icon("reset"), "Reset zoom");
  let chart = null;
  function toggleLog() {
    const isWanted = log.getAttribute("aria-pressed") !== "true";
    log.setAttribute("aria-pressed", isWanted);
    left.hidden = !isWanted || !unseen;
    chart?.setLog(isWanted);
  }
  const left = el("p", { class: "muted", hidden: true });
  let current = metric;
  let unseen = 0;
  function say() {
    host.setAttribute("aria-label", summaryText(current));
    unseen = (current.curve?.values ?? []).filter((value) => decoded(value) <= 0).length;
    left.textContent = `${counted(unseen, "point")} at or below 0 cannot be shown on a log axis.`;
  }
  say();
  whenNear(
    host,
    () => {
      chart = drawChart(host, {
        model: modelOf(current, checks),
        smoothing: smoothing.weight,
        signal,
        onZoom: (range) => {
          reset.hidden = !range;
        },
      });
      reset.addEventListener("click", () => chart.resetZoom());
      smoothing.subscribe((weight) => chart.setSmoothing(weight));
    },
    signal,
  );
  function update(next) {
    current = next;
    say();
    chart?.setModel(modelOf(next, checks));
  }
  return { node: el("div", { class: "chart-box" }, host, left, el("div", { class: "chart-tools" }, legend(metric, checks), reset, log)), update };
}

function modelOf(metric, checks) {
  const { curve: line, band } = metric;
  const own = line && { key: "run", label: "this run", property: "--line", dash: [], ...lineOf(line.steps, line.values) };
  return { lines: own ? [own] : [], band: bandOf(band), references: references(metric, checks) };
}

function summaryText({ name: own, summary }) {
  if (!summary) return `Accepted runs of ${own}`;
  const { first_step: first, last_step: last, min, max } = summary;
  return `Curve of ${own}, steps ${first} to ${last}, values ${number(min)} to ${number(max)}`;
}

function legend({ band, baseline, curve: line }, checks) {
  const keys = [
    line && ["line", "this run"],
    band && ["band", counted(band.n_runs, "accepted run")],
    checks.length > 0 && ["reference", "baseline"],
    checks.some((check) => check.allowance) && ["allowed", "allowed"],
    baseline.length > 1 && ["samples", "samples"],
  ];
  return el("ul", { class: "legend" }, keys.filter(Boolean).map(([key, words]) => el("li", {}, el("i", { class: `key key-${key}` }), words)));
}

function numbers(metric) {
  return el("div", { class: "numbers" }, [
    summaryTable(metric),
    metric.history.length > 0 && historyTable(metric),
    metric.curve && pointsTable(metric.curve, "Points"),
    metric.band && bandTable(metric.band),
  ]);
}

function summaryTable({ summary, baseline }) {
  const rows = STATISTICS.map((statistic) => {
    const values = baseline.map((sample) => decoded(sample.summary[statistic])).filter((one) => one !== null);
    return [statistic.replace("_", " "), number(summary?.[statistic]), ...spread(values)];
  });
  const head = ["Statistic", "This run", `Baseline (${counted(baseline.length, "sample")})`, "smallest", "largest"];
  return table(head, rows, { numbers: [1, 2, 3, 4], label: "Statistics" });
}

/** Median, smallest and largest. */
function spread(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = sorted.length ? sorted[Math.floor(middle)] / 2 + sorted[Math.ceil(middle)] / 2 : null;
  return [number(median), ...pair(sorted[0], sorted.at(-1))];
}

function historyTable({ history }) {
  const rows = history
    .toReversed()
    .map((past) => [
      String(past.run_id),
      when(past.created_at),
      past.commit ? el("code", {}, past.commit.slice(0, 12)) : "–",
      number(past.value),
      label(past.verdict),
      past.is_accepted ? "accepted" : "",
    ]);
  return table(["Run", "When", "Commit", "Tail", "Verdict", "Baseline"], rows, { numbers: [0, 3], label: "Earlier runs" });
}

function pointsTable({ steps, values }, title) {
  const rows = steps.map((step, index) => [String(step), number(values[index], 17)]);
  return table(["Step", "Value"], rows, { numbers: [0, 1], label: title });
}

function bandTable({ steps, low, high }) {
  const rows = steps.map((step, index) => [String(step), number(low[index]), number(high[index])]);
  return table(["Step", "Lowest accepted", "Highest accepted"], rows, { numbers: [0, 1, 2], label: "Accepted runs" });
}
