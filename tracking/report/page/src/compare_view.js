// Two runs: what differs between them, and all else on demand.

import { comparedCurves, LOOKS } from "./compare_curves.js";
import { byMetric, countsOf, differs, endPairs, split } from "./compare_data.js";
import { differing } from "./diff.js";
import { el, name, replace } from "./dom.js";
import { nothing } from "./empty.js";
import { counted, duration, pair, percent, relativeChange } from "./format.js";
import { createLoader, throttled } from "./loading.js";
import { picker } from "./picker.js";
import { runChoices, runLink } from "./run_words.js";
import { identityOf, refOf } from "./runs.js";
import { smoothingControl } from "./smoothing.js";
import { table } from "./table.js";

const REFRESH_MS = 2_000;

export const compareView = { key: "compare", title: "Compare", create };

function create({ store, api, live, runs, trouble, signal }) {
  const loader = createLoader({ name: "compare", trouble, signal });
  const a = picker({ label: "Run A", placeholder: "Find a run", onPick: (id) => store.set({ a: id }) });
  const b = picker({ label: "Run B", placeholder: "Find a run", onPick: (id) => store.set({ b: id }) });
  const swap = el("button", { type: "button", class: "button", onclick: () => store.set({ a: store.state.b, b: store.state.a }) }, "Swap");
  const all = el("input", { type: "checkbox", onchange: () => render() });
  const host = el("div");
  const node = el("section", { class: "view", "aria-label": "Compare two runs" }, el("div", { class: "view-tools" }, a.node, swap, b.node, el("label", { class: "toggle" }, all, "show all")), host);
  let found = null;
  let drawn = new AbortController();
  signal.addEventListener("abort", () => drawn.abort());

  function render() {
    drawn.abort();
    drawn = new AbortController();
    if (!found) return replace(host, nothing("Two runs beside each other", "Choose A and B above, or two runs in the list of runs and “Compare” there."));
    const sides = [found.a, found.b];
    const words = sides.map((run, index) => `${"AB"[index]}: ${refOf(run)}`);
    const metrics = byMetric(found.metrics);
    return replace(host, [
      summary(found, store),
      el("section", { class: "section compare-cards" }, el("div", { class: "cards cards-wide" }, [
        part("How they ended", endPairs(...sides), words, all.checked, lengths(sides)),
        part("Config", found.config, words, all.checked),
        part("Environment", found.environment, words, all.checked),
        part("Computation graphs", found.graph, words, all.checked, nodes(found, store)),
      ])),
      metricsSection(metrics.filter((one) => all.checked || one.isDifferent), metrics.length, words, (metric, smoothing) => comparedCurves(metric, sides, { api, db: store.state.db, smoothing, trouble, signal: drawn.signal }), smoothingControl(store, drawn.signal)),
    ]);
  }

  const refresh = throttled(() => loader.again(), REFRESH_MS, signal);
  live.subscribe((events) => {
    const own = new Set(found ? [found.a, found.b].map(identityOf) : []);
    const isOurs = (run) => own.has(identityOf(run));
    if (events.some(({ kind, run, changed }) => kind === "reload" || (kind === "records" && own.has(run)) || (kind === "runs" && changed?.some(isOurs)))) refresh();
  }, signal);

  return {
    node,
    update(state) {
      const [forA, forB] = LOOKS.map((look) => runChoices(runs.all, look));
      const idOf = (ref) => (runs.find(ref) ? refOf(runs.find(ref)) : ref);
      a.show(forA, idOf(state.a));
      b.show(forB, idOf(state.b));
      swap.disabled = !state.a || !state.b;
      if (!state.a || !state.b) {
        loader.forget();
        found = null;
        return render();
      }
      return loader.load(`${state.db} ${state.a} ${state.b}`, (own) => api.diff({ db: state.db, a: state.a, b: state.b, all: 1 }, own), (answer) => {
        found = answer;
        render();
      });
    },
  };
}

function summary(found, store) {
  const counts = countsOf(found);
  const words = [
    counts.metrics && counted(counts.metrics, "metric"),
    counts.config && `${counted(counts.config, "value")} of the config`,
    counts.environment && `${counted(counts.environment, "value")} of the environment`,
    counts.graph && "the computation graph",
  ].filter(Boolean);
  return el("div", { class: "compare-summary" }, [found.a, found.b].map((run, index) => el("p", {}, "AB"[index], " ", runLink(run, store, LOOKS[index]))), el("p", { class: "muted" }, words.length ? `They differ in ${words.join(", ")}.` : "Nothing that is compared differs between them."));
}

function part(title, pairs, words, isAll, tail = null) {
  const { changes, same } = split(pairs);
  if (!pairs.length && !tail) return null;
  const rows = isAll ? same : [];
  return el(
    "section",
    { class: "card" },
    el("div", { class: "card-head" }, el("h3", {}, title), el("span", { class: "muted" }, changes.length ? `${counted(changes.length, "difference")}` : "no difference")),
    changes.length + rows.length > 0 && differing(title, changes, rows, words),
    tail,
  );
}

/** How long runs took differs always, and is no difference. */
function lengths([a, b]) {
  const change = relativeChange(a.duration_s, b.duration_s);
  return el("p", { class: "muted facts" }, [`A took ${duration(a.duration_s)}, B ${duration(b.duration_s)}`, change !== null && ` (${percent(change)})`]);
}

function nodes({ graph_changes: lines }, store) {
  if (!lines.length) return null;
  return [
    el("ul", { class: "notes node-changes", tabindex: "0", "aria-label": "Nodes that differ" }, lines.map((line) => el("li", {}, name(line)))),
    el("a", { href: store.address({ view: "graphs" }) }, "Beside each other"),
  ];
}

/** `curvesOf(metric, smoothing)` draws the curves of both runs. */
function metricsSection(shown, n_all, words, curvesOf, smoothing) {
  if (!n_all) return null;
  const n_same = n_all - shown.length;
  return el(
    "section",
    { class: "section" },
    el("div", { class: "section-head" }, el("h2", {}, "Metrics"), n_same > 0 && el("span", { class: "muted" }, `${counted(n_same, "metric")} the same in both`), shown.length > 0 && smoothing.node),
    el("div", { class: "cards cards-metrics" }, shown.map((one) => metricCard(one, words, curvesOf(one.metric, smoothing)))),
  );
}

function metricCard({ metric, pairs, isOnlyIn, change, isDifferent }, words, curves) {
  const said = isOnlyIn ? `only in ${isOnlyIn.toUpperCase()}` : isDifferent ? change !== null && `tail ${percent(change)}` : "the same";
  const rows = pairs.map((one) => {
    const [before, after] = pair(one.a, one.b);
    return el("tr", { class: differs(one) ? "is-changed" : null }, [
      el("td", {}, one.statistic.replace("_", " ")),
      el("td", { class: "number" }, "a" in one ? before : "–"),
      el("td", { class: "number" }, "b" in one ? after : "–"),
      el("td", { class: "number" }, "a" in one && "b" in one && differs(one) ? percent(one.relative_change) : ""),
    ]);
  });
  return el("article", { class: "card metric" }, el("div", { class: "card-head" }, el("h3", {}, name(metric)), el("span", { class: "muted" }, said)), curves, table(["Statistic", ...words, "Change"], rows, { numbers: [1, 2, 3], label: `Statistics of ${metric}` }));
}
