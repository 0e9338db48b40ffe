// All of one test.

import { command } from "./copy.js";
import { differences } from "./diff.js";
import { el, icon, name } from "./dom.js";
import { duration, nodeidParts, when } from "./format.js";
import { graphView } from "./graph.js";
import { histograms, images, texts } from "./media.js";
import { metricView } from "./metric_view.js";
import { smoothingControl } from "./smoothing.js";
import { checksTable } from "./table.js";
import { pill, testTone, tone } from "./verdicts.js";

/**
 * `go` = { close, next, previous } for the buttons, null where there are none; `about` stands below
 * the facts; `signal` ends what the view has started.
 */
export function testView(test, { store, go, about = null, signal }) {
  const { run } = test;
  const toneOf = (check) => tone(check.verdict, test.action);
  const heading = titleOf(test);
  const ended = el("span", { class: "muted" }, run && howItEnded(run));
  const cards = new Map();
  const node = el(
    "article",
    { class: "test", "aria-labelledby": "test-title" },
    el(
      "div",
      { class: "test-head" },
      el("div", { class: "test-verdict" }, pill(test.verdict, testTone(test)), ended),
      go &&
        el("div", { class: "tools" }, [
          button("previous", "Previous test", "k", go.previous),
          button("next", "Next test", "j", go.next),
          button("close", "Close test", "Escape", go.close),
        ]),
    ),
    heading,
    el("p", { class: "facts muted" }, facts(test)),
    about,
    test.message && el("p", { class: `callout tone-${testTone(test)}` }, test.message),
    test.accept_command && el("div", { class: "accept" }, el("span", { class: "muted" }, "To accept it:"), command(test.accept_command)),
    test.notes.length > 0 && el("ul", { class: "notes" }, test.notes.map((note) => el("li", {}, note))),
    test.checks.length > 0 && section("Checks", el("div", { class: "card" }, checksTable(test, toneOf))),
    run ? details(test, { store, toneOf, cards, signal }) : el("p", { class: "muted" }, "The report has no more of this test: its run is not in it."),
  );
  return {
    node,
    heading,
    /** Show what has come to the curves of a run that goes on. */
    update({ run: { metrics, ...now } }) {
      ended.textContent = howItEnded(now);
      for (const metric of metrics) cards.get(metric.name)?.update(metric);
    },
  };
}

function titleOf({ nodeid }) {
  const [path, own] = nodeidParts(nodeid);
  return el("h2", { id: "test-title", tabindex: "-1" }, path && el("span", { class: "path" }, name(path)), name(own));
}

function button(what, words, key, onclick) {
  return el("button", { type: "button", class: "button", "data-go": what, onclick, title: words, "aria-label": words, "aria-keyshortcuts": key }, icon(what));
}

function howItEnded({ outcome, phase, ended_by: endedBy, status, duration_s: seconds }) {
  const how = outcome ? `${outcome}${phase ? ` in ${phase}` : ""}` : status;
  return [how, endedBy && endedBy !== "finished" ? `ended by: ${endedBy}` : null, seconds !== null && duration(seconds)]
    .filter(Boolean)
    .join(" · ");
}

function facts({ file, line, run, baseline, n_samples: samples }) {
  return [
    file && `${file}${line ? `:${line}` : ""}`,
    run && `run ${run.run_id}, ${when(run.created_at)}`,
    baseline && `baseline ${baseline}, ${samples} sample${samples === 1 ? "" : "s"}`,
  ]
    .filter(Boolean)
    .map((fact, index) => [index > 0 && " · ", name(fact)]);
}

function details(test, { store, toneOf, cards, signal }) {
  const { run } = test;
  const smoothing = smoothingControl(store, signal);
  for (const metric of run.metrics) cards.set(metric.name, metricView(metric, { checks: test.checks, toneOf, smoothing, signal }));
  const metrics = [...cards.values()].map((card) => card.node);
  return [
    metrics.length > 0 && section("Metrics", el("div", { class: "cards cards-metrics" }, metrics), smoothing.node),
    section("Where it ran", el("div", { class: "cards cards-wide" }, [
      differences("Config", run.config_changes, run.config),
      differences("Environment", run.environment_changes, run.environment),
    ])),
    histograms(run.histograms),
    images(run.images),
    texts(run.texts),
    run.graphs.length > 0 && section("Graphs", el("div", { class: "cards cards-graphs" }, run.graphs.map((graph, index) => graphView(graph, index + 1, signal)))),
    run.left_out.length > 0 && section("Left out", el("ul", { class: "notes" }, run.left_out.map((line) => el("li", {}, line)))),
  ];
}

function section(title, content, tools) {
  return el("section", { class: "section" }, el("div", { class: "section-head" }, el("h2", {}, title), tools), content);
}
