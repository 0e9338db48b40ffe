// One run: all of it, as the report shows a test, and what belongs to it; live while it runs.

import { el, name, replace } from "./dom.js";
import { nothing } from "./empty.js";
import { counted, duration, number } from "./format.js";
import { createLoader, throttled } from "./loading.js";
import { picker } from "./picker.js";
import { onlyGrew, previousOf, relatives, runChoices, runLink } from "./run_words.js";
import { refOf } from "./runs.js";
import { stateOf } from "./side.js";
import { table } from "./table.js";
import { testView } from "./test_view.js";

const REFRESH_MS = 1_000;

export const runView = { key: "run", title: "Run", create };

function create({ store, api, live, runs, trouble, signal }) {
  const loader = createLoader({ name: "run", trouble, signal });
  const runPicker = picker({ label: "Run", placeholder: "Find a run", onPick: (run) => store.set({ run }) });
  const links = el("div", { class: "view-links" });
  const familyHost = el("div", { class: "family-host" });
  const host = el("div");
  const node = el("section", { class: "view", "aria-label": "Run" }, el("div", { class: "view-tools" }, runPicker.node, links), host);
  let drawn = new AbortController();
  signal.addEventListener("abort", () => drawn.abort());
  let shown = null;
  let view = null;

  /** What the address asks for, else the newest run. */
  const refIn = ({ run }) => run || (runs.all[0] && refOf(runs.all[0])) || "";

  function show({ run, report }) {
    const [test] = report.tests;
    const before = shown;
    shown = { run, test };
    if (before && onlyGrew(before, shown)) return view.update(test);
    const [x, y] = [scrollX, scrollY];
    drawn.abort();
    drawn = new AbortController();
    view = testView(test, { store, go: null, about: about(run, test, report), signal: drawn.signal });
    // What is drawn late must not pull the page away from its reader.
    host.style.minHeight = before ? `${host.offsetHeight}px` : "";
    replace(host, view.node);
    if (before) scrollTo(x, y);
    return showAround(run);
  }

  /** What the list of runs knows of it: that may come later, and change. */
  function showAround(run) {
    replace(familyHost, family(run));
    showLinks(run);
  }

  function about(run, test, { problems }) {
    return el("div", { class: "about-run" }, [
      problems.length > 0 && el("ul", { class: "notes" }, problems.map((problem) => el("li", {}, problem))),
      run.is_abandoned && el("p", { class: "callout tone-warn" }, "Its process is gone; nobody ended it. The next session that opens the experiment does."),
      familyHost,
      lastRecords(run, test),
    ]);
  }

  function family(run) {
    const { parent, children, attempts } = relatives(run, runs.all);
    const parts = [
      parent && [el("dt", {}, "Inside of"), el("dd", {}, runLink(parent, store))],
      attempts.length > 1 && [el("dt", {}, counted(attempts.length, "attempt")), el("dd", {}, attempts.map((one) => attemptOf(one, run)))],
      children.length > 0 && [el("dt", {}, counted(children.length, "child run")), el("dd", {}, el("ul", { class: "run-links" }, children.map((child) => el("li", {}, runLink(child, store), el("span", { class: "muted" }, ` ${stateOf(child)} · ${duration(child.duration_s)}`)))))],
    ].filter(Boolean);
    return parts.length > 0 && el("dl", { class: "family" }, parts);
  }

  function attemptOf(one, run) {
    const words = `${one.attempt ?? ""} ${stateOf(one)}`;
    const link = refOf(one) === refOf(run) ? el("b", {}, words) : el("a", { href: store.address({ run: refOf(one) }) }, words);
    return el("span", { class: "attempt" }, link, one.confirms && el("span", { class: "muted" }, " to confirm"));
  }

  function showLinks(run) {
    const before = previousOf(run, runs.all);
    const id = encodeURIComponent(refOf(run));
    const db = new URLSearchParams({ db: store.state.db });
    const link = (words, changes) => el("a", { class: "button", href: store.address(changes) }, words);
    replace(links, [
      link("History", { view: "history", test: run.name }),
      before && link("Compare with the run before", { view: "compare", a: refOf(before), b: refOf(run) }),
      link("Graphs", { view: "graphs", run: refOf(run), a: "", b: "" }),
      el("a", { class: "button", href: `/api/runs/${id}/records.csv?${db}`, download: "" }, "CSV"),
      el("a", { class: "button", href: `/api/runs/${id}/export.json?${db}`, download: "" }, "JSON"),
    ]);
  }

  function render(state) {
    replace(host, refIn(state) ? el("p", { class: "missing" }, "Looking…") : nothing("No run yet", ["Record one, and it appears here by itself: ", el("code", {}, "pytest --sg-track"), "."]));
    replace(links);
  }

  const refresh = throttled(() => loader.again(), REFRESH_MS, signal);
  live.subscribe((events) => {
    const uuid = shown?.run.uuid;
    const isOurs = ({ kind, run, changed }) =>
      kind === "reload" || (uuid && kind === "records" && run === uuid) || (uuid && kind === "runs" && (changed ?? []).some((one) => one.uuid === uuid || one.parent === uuid));
    if (events.some(isOurs)) refresh();
  }, signal);

  let asked = null;
  return {
    node,
    update(state) {
      const ref = refIn(state);
      runPicker.show(runChoices(runs.all), runs.find(ref) ? refOf(runs.find(ref)) : ref);
      if (asked !== `${state.db} ${ref}`) {
        asked = `${state.db} ${ref}`;
        shown = null;
        render(state);
      }
      if (shown) showAround(shown.run);
      if (ref) loader.load(asked, (own) => api.details({ db: state.db, id: ref }, own), show);
    },
  };
}

/** Where each metric stood when a run ended that did not come to its end. */
function lastRecords({ ended_by: endedBy, is_abandoned: isAbandoned }, { run }) {
  const isCut = isAbandoned || (endedBy && !["finished", "exception"].includes(endedBy));
  const metrics = (run?.metrics ?? []).filter((metric) => metric.summary);
  if (!isCut || !metrics.length) return null;
  const rows = metrics
    .toSorted((a, b) => b.summary.last_step - a.summary.last_step)
    .map(({ name: own, summary }) => [name(own), String(summary.last_step), number(summary.last)]);
  return el("section", { class: "card last-records" }, el("div", { class: "card-head" }, el("h3", {}, "Last records")), table(["Metric", "Step", "Value"], rows, { numbers: [1, 2], label: "Last records" }));
}
