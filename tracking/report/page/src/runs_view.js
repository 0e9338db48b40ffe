// All runs of an experiment as a table.

import { deleteDialog } from "./delete_dialog.js";
import { el, name, replace } from "./dom.js";
import { nothing } from "./empty.js";
import { count, counted, duration, nodeidParts, number, when } from "./format.js";
import { keyed } from "./keyed.js";
import { lookOf, swatch } from "./palette.js";
import { sparkline } from "./plot.js";
import { byName, fitting, isUpFirst, metricsLike, resultOf, sorted } from "./run_list.js";
import { identityOf, refOf } from "./runs.js";
import { stateOf } from "./side.js";
import { heading, searchBox } from "./table.js";
import { pill, tone } from "./verdicts.js";

const PAGE = 200;
const MOST_METRICS = 6;
const TREND = 40;

const COLUMNS = [
  { title: "#", class: "number run-number" },
  { key: "name", title: "Run" },
  { key: "verdict", title: "Verdict" },
  { key: "outcome", title: "Outcome", class: "wide" },
  { key: "started_at", title: "Started", class: "started" },
  { key: "duration_s", title: "Time", class: "wide number" },
  { key: "commit", title: "Commit", class: "wide" },
];

export const runsView = { key: "runs", title: "Runs", create };

function create({ store, api, runs, trouble, config, signal }) {
  const dialog = deleteDialog({ api, runs, trouble, signal });
  const search = searchBox(store, { placeholder: "Filter runs", label: "Filter runs by name, verdict or config" });
  const metrics = el("input", { type: "search", class: "field", placeholder: "Metrics", "aria-label": "Show metrics with these words", spellcheck: "false", oninput: () => store.set({ metrics: metrics.value }) });
  const group = el("button", { type: "button", class: "button", onclick: () => store.set({ group: store.state.group ? "" : "name" }) }, "Group by test");
  const compare = el("a", { class: "button" }, "Compare");
  const curves = el("a", { class: "button" }, "Curves");
  const remove = el("button", { type: "button", class: "button", onclick: () => dialog.ask(store.state.db, runs.chosen) }, "Delete…");
  const said = el("span", { class: "muted list-status", role: "status" });
  const all = el("input", { type: "checkbox", "aria-label": "Choose all", onchange: () => runs.choose(all.checked ? shown : []) });
  const head = el("tr");
  const body = el("tbody");
  const more = el("button", { type: "button", class: "button", onclick: showMore });
  const empty = el("div");
  const part = el("p", { class: "muted list-part" });
  const table = el(
    "div",
    { class: "list-body" },
    el("table", { class: "runs" }, el("caption", { class: "off-screen" }, "Runs of the experiment"), el("thead", {}, head), body),
    more,
  );
  const node = el(
    "section",
    { class: "list", "aria-label": "Runs" },
    el("div", { class: "list-tools" }, search.node, metrics, group, el("div", { class: "tools" }, said, curves, compare, remove)),
    part,
    table,
    empty,
    dialog.node,
  );
  const opened = new Set();
  let most = PAGE;
  let shown = [];
  let heads = [];
  let columns = null;

  const show = keyed(body, (item) => item.key, (item) => (item.run ? runRow() : groupRow()));

  function showMore() {
    most += PAGE;
    update(store.state, store.state);
  }

  function showHead(names) {
    if (columns && names.join("\n") === columns.join("\n")) return;
    columns = names;
    const own = names.map((metric) => ({ key: `metric:${metric}`, title: metric, class: "number metric-head" }));
    heads = [...COLUMNS, ...own].map((column) => heading({ isUpFirst: column.key && isUpFirst(column.key), ...column }, store));
    replace(head, el("th", { class: "choice" }, all), heads.map((one) => one.node));
  }

  function itemsOf(state) {
    const one = (run) => ({ key: `run ${identityOf(run)}`, run });
    if (!state.group) return shown.map(one);
    return byName(shown).flatMap(([own, members]) => [
      { key: `group ${own}`, name: own, members },
      ...(opened.has(own) ? members.map(one) : []),
    ]);
  }

  function update(state, before) {
    if (state.q !== before.q || state.group !== before.group) most = PAGE;
    shown = sorted(fitting(runs.all, state.q), state.sort);
    showHead(metricsLike(runs.all, state.metrics).slice(0, MOST_METRICS));
    for (const one of heads) one.update(state.sort);
    const items = itemsOf(state);
    const chosen = runs.chosen;
    show(items.slice(0, most));
    mark(new Set(chosen.map(identityOf)));
    const rest = items.length - most;
    more.hidden = rest <= 0;
    more.textContent = `Show ${count(Math.min(rest, PAGE))} more of ${count(rest)}`;
    search.update(state.q);
    if (metrics.value !== state.metrics) metrics.value = state.metrics;
    group.setAttribute("aria-pressed", Boolean(state.group));
    said.textContent = `${count(shown.length)} of ${counted(runs.all.length, "run")}, ${count(chosen.length)} chosen`;
    part.hidden = !runs.part;
    part.textContent = runs.part ?? "";
    curves.href = store.address({ view: "curves" });
    compare.hidden = chosen.length !== 2;
    if (chosen.length === 2) {
      const [a, b] = chosen.toSorted((one, other) => one.started_at - other.started_at).map(refOf);
      compare.href = store.address({ view: "compare", a, b });
    }
    // What nobody chose is not at hand for deleting.
    remove.hidden = config.is_read_only || !state.runs || !chosen.length;
    table.hidden = !shown.length;
    replace(empty, runs.isLoaded && !shown.length && noRuns(runs.all.length));
  }

  function mark(isChosen) {
    for (const box of body.querySelectorAll("input")) {
      box.checked = isChosen.has(box.dataset.run);
      box.closest("tr").classList.toggle("is-chosen", box.checked && Boolean(store.state.runs));
    }
    all.checked = shown.length > 0 && shown.every((run) => isChosen.has(identityOf(run)));
  }

  function runRow() {
    const row = el("tr");
    let own = null;
    let drawn = null;
    const box = el("input", { type: "checkbox", onchange: () => runs.toggle(own) });
    return {
      node: row,
      update({ run }) {
        own = run;
        if (drawn === run && row.childElementCount === 1 + heads.length && row.dataset.columns === columns.join("\n")) return;
        drawn = run;
        row.dataset.columns = columns.join("\n");
        box.dataset.run = identityOf(run);
        box.setAttribute("aria-label", `Choose run ${run.run_id ?? ""} ${run.name.slice(0, 200)}`);
        replace(row, el("td", { class: "choice" }, box), cells(run));
      },
    };
  }

  function cells(run) {
    const href = store.address({ view: "run", run: refOf(run) });
    const [path, own] = nodeidParts(run.name);
    return [
      el("td", { class: "number run-number muted" }, run.run_id ?? "new"),
      el("td", { class: "run-cell" }, el("a", { class: "run-link", href, title: run.name.slice(0, 500) }, swatch(lookOf(run)), el("span", {}, path && name(path, { class: "path" }), name(own, { class: "own" })))),
      el("td", {}, verdictOf(run)),
      el("td", { class: "wide" }, outcomeOf(run)),
      el("td", { class: "started" }, when(run.started_at)),
      el("td", { class: "wide number" }, duration(run.duration_s)),
      el("td", { class: "wide" }, run.commit && el("code", {}, run.commit.slice(0, 9), run.is_dirty && "+")),
      columns.map((metric) => el("td", { class: "number" }, number(resultOf(run, metric), 5))),
    ];
  }

  function groupRow() {
    const row = el("tr", { class: "group" });
    return {
      node: row,
      update({ name: own, members }) {
        const isOpen = opened.has(own);
        const said = `${own}\n${members.length}\n${isOpen}\n${identityOf(members[0])}\n${stateOf(members[0])}\n${columns.join("\n")}`;
        if (row.dataset.said === said) return;
        row.dataset.said = said;
        const toggle = () => {
          if (!opened.delete(own)) opened.add(own);
          update(store.state, store.state);
          row.querySelector("button").focus();
        };
        const [path, ownName] = nodeidParts(own);
        const newest = members.reduce((a, b) => (b.started_at > a.started_at ? b : a));
        replace(
          row,
          el("td", { class: "choice" }),
          el("td", { class: "number run-number" }),
          el("td", { class: "run-cell" }, el("button", { type: "button", class: "group-opener", "aria-expanded": String(isOpen), onclick: toggle }, path && name(path, { class: "path" }), name(ownName, { class: "own" }), el("span", { class: "muted" }, ` ${counted(members.length, "run")}`))),
          el("td", {}, verdictOf(newest)),
          el("td", { class: "wide" }, outcomeOf(newest)),
          el("td", { class: "started" }, when(newest.started_at)),
          el("td", { class: "wide number" }, duration(newest.duration_s)),
          el("td", { class: "wide" }, newest.commit && el("code", {}, newest.commit.slice(0, 9))),
          columns.map((metric) => el("td", { class: "trend" }, trend(members, metric))),
        );
      },
    };
  }

  return { node, update };
}

/** What a metric came to in the newest runs of a test, oldest first. */
function trend(members, metric) {
  const newest = members.toSorted((a, b) => b.started_at - a.started_at).slice(0, TREND);
  return sparkline(newest.map((run) => resultOf(run, metric)).reverse()) ?? number(resultOf(newest[0], metric), 5);
}

function verdictOf(run) {
  if (run.verdict) return pill(run.verdict, tone(run.verdict));
  if (run.status === "running") return el("span", { class: "pill is-going" }, el("i", { class: "dot is-running" }), stateOf(run));
  return el("span", { class: "muted" }, "not compared");
}

function outcomeOf({ outcome, status, phase, ended_by: endedBy }) {
  const parts = [outcome ?? status, outcome && outcome !== "passed" && phase && `in ${phase}`, endedBy && endedBy !== "finished" && `· ${endedBy}`];
  return parts.filter(Boolean).join(" ");
}

function noRuns(n) {
  if (n) return nothing("No run is like that", ["Remove words from the filter; all of them have to stand in a run's name, verdict or config."]);
  return nothing("This experiment has no runs yet", ["Record one, and it appears here by itself: ", el("code", {}, "pytest --sg-track"), " for tests, ", el("code", {}, "with tracker.run(): …"), " for scripts."]);
}
