// The metrics of the chosen runs, a chart each.

import { isAborted } from "./api.js";
import { curveCard } from "./curve_card.js";
import { createCurves } from "./curve_store.js";
import { axisOf } from "./curve_data.js";
import { el, name, replace } from "./dom.js";
import { nothing } from "./empty.js";
import { counted } from "./format.js";
import { metricsLike } from "./run_list.js";
import { refOf } from "./runs.js";
import { smoothingControl } from "./smoothing.js";

const MOST_CARDS = 120;
const AXES = [["step", "Step"], ["relative", "Time since start"], ["wall", "Wall time"]];

export const curvesView = { key: "curves", title: "Curves", hasSide: true, create };

function create({ store, api, live, runs, trouble, pin, signal }) {
  const curves = createCurves({ api, live, runs, store, trouble, signal, listener: refresh });
  const smoothing = smoothingControl(store, signal);
  const filter = el("input", { type: "search", class: "field", placeholder: "Filter metrics", "aria-label": "Filter metrics by words of their names", spellcheck: "false", oninput: () => store.set({ metrics: filter.value }) });
  const axis = el("select", { class: "select", "aria-label": "Horizontal axis", onchange: () => store.set({ x: axis.value }) });
  const log = el("button", { type: "button", class: "button", onclick: () => store.set({ log: store.state.log ? "" : "1" }) }, "Log");
  const body = el("div", { class: "metric-groups" });
  const node = el("section", { class: "curves", "aria-label": "Curves" }, el("div", { class: "curve-tools" }, filter, axis, log, smoothing.node), body);
  const cards = new Map();
  const groups = new Map();
  let layout = null;
  let frame = null;
  let options = null;
  let baseline = null;
  let baselineOf = null;

  function refresh(metrics) {
    const x = axisOf(store.state.x).metric;
    for (const [metric, card] of cards) if (metrics.has(metric) || metrics.has(x)) card.refresh();
  }

  /** However often the slider turns in a frame, it is drawn once. */
  function redraw() {
    frame ??= requestAnimationFrame(draw);
  }

  function draw() {
    frame = null;
    if (signal.aborted) return;
    const state = store.state;
    const shared = { runs: runs.chosen, axis: axisOf(state.x), isLog: Boolean(state.log), weight: smoothing.weight, pinned: pin.identity, baseline };
    for (const card of cards.values()) card.update(shared);
  }

  function update(state) {
    const chosen = runs.chosen;
    const names = metricsLike(chosen, state.metrics);
    if (filter.value !== state.metrics) filter.value = state.metrics;
    log.setAttribute("aria-pressed", Boolean(state.log));
    smoothing.show(state);
    showAxis(state, metricsLike(chosen, ""));
    showCards(names.toSorted(), chosen);
    loadBaseline(chosen);
    redraw();
  }

  function showAxis({ x }, metrics) {
    const said = [x, ...metrics].join("\n");
    if (options !== said) {
      options = said;
      const known = axisOf(x).metric;
      const listed = known === null || metrics.includes(known) ? metrics : [known, ...metrics];
      replace(axis, AXES.map(([key, title]) => el("option", { value: key }, title)), el("optgroup", { label: "A metric" }, listed.toSorted().map((metric) => el("option", { value: `metric:${metric}` }, metric))));
    }
    axis.value = x;
  }

  /** One card a metric, in groups by the part of their names before "/". */
  function showCards(names, chosen) {
    const shown = names.slice(0, MOST_CARDS);
    const said = shown.join("\n") || `nothing ${chosen.length} ${runs.all.length} ${runs.isLoaded}`;
    if (layout === said) return;
    layout = said;
    for (const [metric, card] of cards) {
      if (shown.includes(metric)) continue;
      card.end();
      cards.delete(metric);
    }
    const parts = [...Map.groupBy(shown, groupOf)].map(([title, own]) => groupNode(title, own));
    const rest = names.length - shown.length;
    replace(body, parts, rest > 0 && el("p", { class: "muted" }, `${counted(rest, "more metric")}; a filter finds them.`), !shown.length && runs.isLoaded && empty(chosen));
  }

  function groupNode(title, own) {
    if (!groups.has(title)) {
      const grid = el("div", { class: "cards cards-metrics" });
      const said = el("span", { class: "muted" });
      groups.set(title, { grid, said, node: el("details", { class: "metric-group", open: true }, el("summary", {}, title ? name(title) : "Metrics", " ", said), grid) });
    }
    const group = groups.get(title);
    group.said.textContent = String(own.length);
    const nodes = own.map((metric) => {
      if (!cards.has(metric)) cards.set(metric, curveCard(metric, { curves, trouble, onPick: pin.toggle, signal }));
      return cards.get(metric).node;
    });
    if (nodes.length !== group.grid.children.length || nodes.some((one, index) => group.grid.children[index] !== one)) group.grid.replaceChildren(...nodes);
    return group.node;
  }

  function empty(chosen) {
    if (!runs.all.length) return nothing("This experiment has no runs yet", ["Record one, and its curves appear here by themselves: ", el("code", {}, "pytest --sg-track")]);
    if (!chosen.length) return nothing("No run is chosen", ["Tick runs in the list of runs to see their curves."]);
    if (store.state.metrics) return nothing("No metric is like that", ["Remove words from the filter of metrics; all of them have to stand in a metric's name."]);
    return nothing("The chosen runs have no metrics", ["A metric appears with its first record: ", el("code", {}, 'tracker.record("loss", step, value)')]);
  }

  /** What runs of one test are compared with is drawn behind them. */
  async function loadBaseline(chosen) {
    const isOne = chosen.length > 0 && chosen.every((run) => run.name === chosen[0].name && run.verdict);
    const newest = isOne ? chosen.reduce((a, b) => (b.started_at > a.started_at ? b : a)) : null;
    const wanted = newest && refOf(newest);
    if (wanted === baselineOf) return;
    baselineOf = wanted;
    baseline = null;
    if (!wanted) return;
    try {
      const { report } = await api.details({ db: store.state.db, id: wanted }, signal);
      if (baselineOf !== wanted) return;
      const [test] = report.tests;
      baseline = new Map(test.run.metrics.map((metric) => [metric.name, { metric, checks: test.checks }]));
      trouble.clear("baseline");
      redraw();
    } catch (error) {
      if (isAborted(error)) return;
      baselineOf = null;
      trouble.show("baseline", `The baseline is missing. ${error.message}`, () => loadBaseline(runs.chosen));
    }
  }

  return { node, update };
}

function groupOf(metric) {
  const cut = metric.indexOf("/");
  return cut > 0 ? metric.slice(0, cut) : "";
}
