// The page: header, list of tests, and the test that is open.

import { el, replace } from "./dom.js";
import { pageHeader } from "./header.js";
import { helpDialog, listen } from "./keyboard.js";
import { testTable } from "./table.js";
import { testView } from "./test_view.js";

export function mount(host, data, store) {
  // An address cannot hold half a surrogate pair.
  const byId = new Map(data.tests.map((test) => [test.nodeid.toWellFormed(), test]));
  const help = helpDialog();
  const header = pageHeader(data, { store, onHelp: () => help.showModal() });
  const list = testTable(data.tests, { store, address: (test) => store.address({ test: test.nodeid }) });
  const panel = el("main", { class: "panel" });
  const workspace = el("div", { class: "workspace" }, list.node, panel);
  replace(host, header.node, workspace, help);
  let ending = new AbortController();
  let isMoving = false;

  const openTest = () => byId.get(store.state.test.toWellFormed());
  const close = () => store.set({ test: "" });

  /** Go `by` tests on in the list; an open test gives way to the next. `control` was clicked. */
  function move(by, control = null) {
    const links = list.links();
    const open = list.shown.indexOf(openTest());
    const focused = links.indexOf(document.activeElement);
    const from = focused >= 0 ? focused : open;
    const target = Math.max(0, Math.min(links.length - 1, from < 0 ? 0 : from + by));
    if (!links.length) return;
    isMoving = true;
    if (openTest() && by) store.set({ test: list.shown[target].nodeid });
    isMoving = false;
    const wanted = control ? panel.querySelector(`[data-go=${control}]`) : list.links()[target];
    wanted.focus();
    // Where there is no room for the list, it is not shown beside a test.
    if (document.activeElement !== wanted) panel.querySelector("h2")?.focus();
  }

  function showTest(hasFocus) {
    ending.abort();
    ending = new AbortController();
    const test = openTest();
    workspace.classList.toggle("has-test", Boolean(test));
    if (!test) {
      replace(panel, store.state.test && el("p", { class: "missing" }, "This report has no test of that name."));
      return;
    }
    const go = { close, next: () => move(1, "next"), previous: () => move(-1, "previous") };
    const view = testView(test, { store, go, signal: ending.signal });
    replace(panel, view.node);
    if (hasFocus) view.heading.focus({ preventScroll: true });
    performance.mark("sgtrack:test");
  }

  store.subscribe((state, before) => {
    header.update();
    if (["q", "verdict", "sort"].some((key) => state[key] !== before[key])) {
      list.render(state);
      list.mark(openTest());
    }
    if (state.test === before.test) return;
    list.mark(openTest());
    showTest(!isMoving);
    if (!openTest()) list.linkOf(byId.get(before.test.toWellFormed()))?.focus();
    else if (scrollY > workspace.offsetTop) scrollTo(0, workspace.offsetTop);
  });

  const isListShown = () => getComputedStyle(list.node).display !== "none";

  listen({
    move,
    close,
    leave: () => {
      if (store.state.q) store.set({ q: "" });
      else list.search.blur();
    },
    search: () => {
      if (!isListShown()) close();
      list.search.focus();
      list.search.select();
    },
    help: () => help.showModal(),
    isInList: (node) => list.node.contains(node),
  });

  header.update();
  list.render(store.state);
  list.mark(openTest());
  performance.mark("sgtrack:list");
  showTest(false);
}
