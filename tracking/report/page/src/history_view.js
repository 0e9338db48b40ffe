// A test across its runs: what its metrics came to, what was accepted, how it was judged.

import { aboutText, changesList, metricHead } from "./changes.js";
import { el, replace } from "./dom.js";
import { count, counted, nodeidParts, number, when } from "./format.js";
import { acceptedText, historyChart, pastOf } from "./history_chart.js";
import { createLoader, throttled } from "./loading.js";
import { picker } from "./picker.js";
import { table } from "./table.js";
import { pill, tone } from "./verdicts.js";

const STEPS = [100, 1000];
const REFRESH_MS = 3_000;

export const historyView = { key: "history", title: "History", create };

function create({ store, api, live, runs, trouble, signal }) {
  const loader = createLoader({ name: "history", trouble, signal });
  const tests = picker({ label: "Test", placeholder: "Find a test", onPick: (test) => store.set({ test }) });
  const byTime = el("button", { type: "button", class: "button", "aria-pressed": "false", onclick: turn }, "By time");
  const more = el("button", { type: "button", class: "button", hidden: true, onclick: showMore });
  const status = el("p", { class: "muted", role: "status" });
  const host = el("div", { class: "view" });
  const node = el("section", { class: "view", "aria-label": "History" }, el("div", { class: "view-tools" }, tests.node, byTime, more, status), host);
  let found = null;
  let limit = STEPS[0];

  const isByTime = () => byTime.getAttribute("aria-pressed") === "true";

  function turn() {
    byTime.setAttribute("aria-pressed", String(!isByTime()));
    render();
  }
  function showMore() {
    limit = STEPS.at(-1);
    ask(store.state);
  }
  const open = (past) => store.set({ view: "run", run: String(past.run_id) });

  function render() {
    byTime.hidden = !found?.metrics.length;
    if (!found) return replace(host, el("p", { class: "missing" }, nothing()));
    more.hidden = !found.n_left_out || limit === STEPS.at(-1);
    more.textContent = `Show ${count(found.n_left_out)} earlier`;
    status.textContent = found.n_left_out && more.hidden ? `The newest ${count(limit)} runs.` : "";
    const charts = found.metrics.map((metric) => metricCard(metric));
    return replace(
      host,
      found.problems.length > 0 && el("ul", { class: "notes" }, found.problems.map((problem) => el("li", {}, problem))),
      charts.length ? el("div", { class: "cards cards-wide" }, charts) : el("p", { class: "missing" }, "Its runs recorded no metric."),
      charts.length > 0 && el("section", { class: "card" }, el("div", { class: "card-head" }, el("h3", {}, "Runs")), runsTable(found.metrics, store)),
    );
  }

  function metricCard(found) {
    const { metric, statistic, runs: points } = found;
    const pasts = points.map(pastOf);
    const picture = el("div", { class: "history-host" });
    pictures.set(picture, (width) => historyChart({ pasts, found, isByTime: isByTime(), width, label: `${statistic} of ${metric}`, onOpen: open }));
    sizes.observe(picture);
    const said = [counted(pasts.filter((past) => past.value !== null).length, "run"), acceptedText(pasts), aboutText(found)].filter(Boolean).join(" · ");
    const linkTo = (run) => store.address({ view: "run", run: String(run.run_id) });
    return el("article", { class: "card" }, metricHead(found, said), picture, changesList(found, linkTo));
  }

  const pictures = new WeakMap();
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.clientWidth) replace(target, pictures.get(target)(target.clientWidth));
      else sizes.unobserve(target);
    }
  });
  signal.addEventListener("abort", () => sizes.disconnect());

  function nothing() {
    if (store.state.test) return "Looking…";
    return runs.all.length ? "Choose a test to see what its metrics came to, run by run." : "No run yet: `pytest --sg-track` records tests.";
  }

  function ask({ db, test }) {
    if (!db || !test) {
      loader.forget();
      found = null;
      return render();
    }
    return loader.load(`${db}\n${test}\n${limit}`, (own) => api.history({ db, test, limit }, own), (answer) => {
      found = answer;
      render();
    });
  }

  const refresh = throttled(() => loader.again(), REFRESH_MS, signal);
  live.subscribe((events) => {
    const isOurs = (run) => run.name === store.state.test && run.status !== "running";
    if (events.some(({ kind, changed }) => kind === "reload" || (kind === "runs" && (!changed?.length || changed.some(isOurs))))) refresh();
  }, signal);

  let asked = null;
  return {
    node,
    update(state) {
      if (asked !== `${state.db}\n${state.test}`) {
        asked = `${state.db}\n${state.test}`;
        found = null;
        limit = STEPS[0];
        render();
      }
      tests.show(testChoices(runs.all), state.test);
      ask(state);
    },
  };
}

/** The tests there are runs of, the one that ran last first. */
export function testChoices(all) {
  const own = Map.groupBy(all.filter((run) => !run.parent), (run) => run.name);
  return [...own].map(([test, of]) => {
    const [path, last] = nodeidParts(test);
    return { id: test, text: last, note: [path.replace(/::$/, ""), counted(of.length, "run")].filter(Boolean).join(" · ") };
  });
}

function runsTable(metrics, store) {
  const rows = metrics[0].runs
    .map((run, index) => [
      el("a", { href: store.address({ view: "run", run: String(run.run_id) }), class: "nowrap" }, `run ${run.run_id}`),
      el("span", { class: "nowrap" }, when(run.started_at)),
      run.commit ? el("code", {}, run.commit.slice(0, 9) + (run.is_dirty ? "-dirty" : "")) : "–",
      pill(run.verdict, tone(run.verdict)),
      run.outcome ?? "–",
      metrics[0].runs[index].is_accepted ? "accepted" : "",
      ...metrics.map(({ runs }) => number(runs[index].value)),
    ])
    .reverse();
  const head = ["Run", "When", "Commit", "Verdict", "Outcome", "Baseline", ...metrics.map(({ metric }) => metric)];
  return table(head, rows, { numbers: metrics.map((_, index) => index + 6), label: "Runs of the test" });
}
