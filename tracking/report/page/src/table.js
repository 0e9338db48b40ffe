// Tables: the one of all tests, which can be sorted, filtered and walked; and plain ones.

import { el, icon, name, replace } from "./dom.js";
import { count, duration, nodeidParts, number, pair, percent, relativeChange } from "./format.js";
import { sparkline } from "./plot.js";
import { bySeverity, decidingCheck, pill, testTone } from "./verdicts.js";

/** Longer lists would take seconds to lay out; the rest comes by a button. */
const MOST_ROWS = 1000;

const change = ({ baseline, current }) => relativeChange(baseline, current);
const size = (test) => Math.abs(decidingChange(test) ?? -1);

function decidingChange(test) {
  const check = decidingCheck(test);
  return check && change(check);
}

export const ORDERS = {
  worst: bySeverity,
  test: (a, b) => (a.nodeid < b.nodeid ? -1 : 1),
  change: (a, b) => size(b) - size(a),
  duration: (a, b) => (b.run?.duration_s ?? -1) - (a.run?.duration_s ?? -1),
};

const COLUMNS = [
  { key: "worst", title: "Verdict" },
  { key: "test", title: "Test" },
  { title: "Metric", class: "wide" },
  { title: "Baseline → now", class: "wide number" },
  { key: "change", title: "Change", class: "number" },
  { title: "Trend", class: "wide" },
  { key: "duration", title: "Time", class: "wide number" },
];

/** The tests a state of the page asks for, in its order; `-key` is the other way round. */
export function chosen(tests, { q, verdict, sort }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const verdicts = verdict.split(",").filter(Boolean);
  const order = ORDERS[sort.replace(/^-/, "")] ?? ORDERS.worst;
  const found = tests.filter(
    (test) =>
      (!verdicts.length || verdicts.includes(test.verdict ?? "none")) &&
      words.every((word) => searchable(test).includes(word)),
  );
  found.sort(order);
  return sort.startsWith("-") ? found.reverse() : found;
}

function searchable(test) {
  return [test.nodeid, test.message, test.verdict ?? "not compared", ...test.notes]
    .join("\n")
    .toLowerCase();
}

/** The table of tests. `address(test)` is where its link leads. */
export function testTable(tests, { store, address }) {
  const body = el("tbody");
  const status = el("p", { class: "muted list-status", role: "status" });
  const search = searchBox(store, { placeholder: "Filter tests", label: "Filter tests by name, verdict or message" });
  const heads = COLUMNS.map((column) => heading({ isUpFirst: column.key === "test", ...column }, store));
  const node = el(
    "section",
    { class: "list", "aria-label": "Tests" },
    el("div", { class: "list-tools" }, search.node, status),
    el(
      "div",
      { class: "list-body" },
      el(
        "table",
        { class: "tests" },
        el("caption", { class: "off-screen" }, "Tests and what they came to"),
        el("thead", {}, el("tr", {}, heads.map((head) => head.node))),
        body,
      ),
    ),
  );
  let shown = [];

  function render(state, most = MOST_ROWS) {
    shown = chosen(tests, state);
    const rows = shown.slice(0, most).map((test) => testRow(test, address(test), store));
    const rest = shown.length - rows.length;
    const more = el("button", { type: "button", class: "button", onclick: showAll });
    more.textContent = `Show ${count(rest)} more`;
    function showAll() {
      render(store.state, Infinity);
      links()[rows.length].focus();
    }
    const nothing = tests.length ? "No test is like that." : "No test was compared in this session.";
    replace(body, [
      rows,
      rest > 0 && el("tr", {}, el("td", { colspan: COLUMNS.length }, more)),
      !shown.length && el("tr", { class: "empty" }, el("td", { colspan: COLUMNS.length }, nothing)),
    ]);
    heads.forEach((head) => head.update(state.sort));
    search.update(state.q);
    status.textContent = `${count(shown.length)} of ${count(tests.length)}`;
  }

  function links() {
    return [...body.querySelectorAll("a.test-link")];
  }

  function mark(test) {
    links().forEach((link, index) => {
      const isOpen = shown[index] === test;
      link.closest("tr").classList.toggle("is-open", isOpen);
      if (isOpen) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }

  return {
    node,
    render,
    mark,
    search: search.field,
    /** The tests as they stand, and the link of one of them. */
    get shown() {
      return shown;
    },
    linkOf: (test) => links()[shown.indexOf(test)],
    links,
  };
}

/** A field for what `q` of the address says. */
export function searchBox(store, { placeholder, label: said }) {
  const field = el("input", {
    type: "search",
    placeholder,
    "aria-label": said,
    "aria-keyshortcuts": "/",
    spellcheck: "false",
    autocomplete: "off",
    oninput: () => store.set({ q: field.value }),
  });
  return {
    field,
    node: el("div", { class: "search" }, icon("search"), field, el("kbd", { "aria-hidden": "true" }, "/")),
    update(q) {
      if (field.value !== q) field.value = q;
    },
  };
}

/** A head of a column that sorts by it, where it has a `key`; twice is the other way round. */
export function heading({ key, title, class: className, isUpFirst }, store) {
  if (!key) return { node: el("th", { scope: "col", class: className }, title), update() {} };
  const toggle = () => store.set({ sort: store.state.sort === key ? `-${key}` : key });
  const arrow = el("span", { class: "arrow", "aria-hidden": "true" });
  const button = el("button", { type: "button", onclick: toggle }, title, arrow);
  const node = el("th", { scope: "col", class: className }, button);
  return {
    node,
    update(sort) {
      const isMine = sort.replace(/^-/, "") === key;
      const isUp = isMine && sort.startsWith("-") !== Boolean(isUpFirst);
      arrow.textContent = isMine ? (isUp ? "↑" : "↓") : "";
      if (isMine) node.setAttribute("aria-sort", isUp ? "ascending" : "descending");
      else node.removeAttribute("aria-sort");
    },
  };
}

function testRow(test, href, store) {
  const [path, own] = nodeidParts(test.nodeid);
  const check = decidingCheck(test);
  const metric = check && test.run?.metrics.find((one) => one.name === check.metric);
  const link = el(
    "a",
    { class: "test-link", href, title: test.nodeid.slice(0, 500), onclick: follow },
    path && el("span", { class: "path" }, name(path)),
    name(own, { class: "own" }),
  );
  // A link, so that it can be copied and opened elsewhere; here the rest of the state stays.
  function follow(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    store.set({ test: test.nodeid });
  }
  // The whole row leads to the test, but for a reader who selects text in it.
  const open = (event) => {
    if (!event.target.closest("a") && getSelection().isCollapsed) link.click();
  };
  return el(
    "tr",
    { onclick: open },
    el("td", {}, pill(test.verdict, testTone(test))),
    el("td", { class: "test-cell" }, link, test.message && el("div", { class: "message" }, test.message)),
    el("td", { class: "wide metric-cell" }, check && metricOf(check)),
    el("td", { class: "wide number" }, check && fromTo(check)),
    el("td", { class: "number" }, check && percent(change(check))),
    el("td", { class: "wide" }, metric && trend(metric)),
    el("td", { class: "wide number" }, test.run && duration(test.run.duration_s)),
  );
}

function metricOf({ metric, statistic }) {
  return [name(metric), el("span", { class: "muted" }, ` ${statistic}`)];
}

function fromTo({ baseline, current }) {
  const [before, after] = pair(baseline, current);
  return [el("span", { class: "muted" }, `${before} → `), after];
}

function trend({ history, curve }) {
  return sparkline(history.length > 2 ? history.map(({ value }) => value) : (curve?.values ?? []));
}

/** The checks of a test. */
export function checksTable(test, toneOf) {
  const head = ["Verdict", "Metric", "Baseline", "This run", "Change", "Allowed"];
  const rows = test.checks.map((check) => {
    const [before, after] = pair(check.baseline, check.current);
    // What made the verdict stands above the table already.
    const said = [check.message, check.warning, ...(check.details ?? [])].filter((line) => line && line !== test.message);
    return [
      el("tr", { class: said.length ? "has-note" : null }, [
        el("td", {}, pill(check.verdict, toneOf(check))),
        el("td", { class: "metric-cell" }, metricOf(check)),
        el("td", { class: "number" }, before),
        el("td", { class: "number strong" }, after),
        el("td", { class: "number" }, percent(change(check))),
        el("td", { class: "number" }, allowed(test, check)),
      ]),
      said.length > 0 &&
        el("tr", { class: "note" }, el("td", { colspan: head.length }, said.map((line) => el("div", {}, line)))),
    ];
  });
  return table(head, rows, { numbers: [2, 3, 4, 5], label: "Checks" });
}

const SIGNS = { lower: "+", higher: "−", both: "±" };

function allowed(test, { metric, allowance, direction: own }) {
  const direction = own ?? test.run?.metrics.find((one) => one.name === metric)?.direction;
  return (allowance ? (SIGNS[direction] ?? "") : "") + number(allowance, 4);
}

/** A table of `rows`: each either a `<tr>` or a list of cells. */
export function table(head, rows, { numbers = [], label = null } = {}) {
  const className = (index) => (numbers.includes(index) ? "number" : null);
  const cells = (row) => row.map((cell, index) => el("td", { class: className(index) }, cell));
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label ?? head.join(", ") },
    el(
      "table",
      { class: "plain" },
      el("thead", {}, el("tr", {}, head.map((title, index) => el("th", { scope: "col", class: className(index) }, title)))),
      el("tbody", {}, rows.map((row) => (isRow(row) ? row : el("tr", {}, cells(row))))),
    ),
  );
}

function isRow(row) {
  return row instanceof Element || row[0] instanceof HTMLTableRowElement;
}
