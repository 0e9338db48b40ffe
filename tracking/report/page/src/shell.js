// The frame of the dashboard: which experiment, which view, which runs, and whether it is live.

import { isAborted } from "./api.js";
import { el, name, replace } from "./dom.js";
import { nothing } from "./empty.js";
import { themeButton } from "./header.js";
import { listenForSearch } from "./keyboard.js";
import { createRuns } from "./runs.js";
import { sideList } from "./side.js";
import { troubleBar } from "./trouble.js";
import { VIEWS } from "./views.js";

const AGAIN_MS = 3_000;
const STATES = { connecting: "connecting", live: "live", lost: "connection lost, trying again" };

export function mount(host, { store, api, live }) {
  const ending = new AbortController();
  const { signal } = ending;
  const trouble = troubleBar();
  const runs = createRuns({ api, live, store, trouble, signal });
  const pin = {
    identity: null,
    /** Have a run stand out; of the one that does, or none, no longer. */
    toggle(identity) {
      pin.identity = identity === pin.identity ? null : identity;
      showView(store.state, store.state);
    },
  };
  const context = { store, api, live, runs, trouble, pin, config: {} };
  const experiments = experimentSelect(store);
  const tabs = el("nav", { class: "tabs", "aria-label": "Views" });
  const connection = el("span", { class: "connection", role: "status" });
  const mode = el("span", { class: "muted", hidden: true, title: "Runs are not deleted from here" }, "read only");
  const panel = el("main", { class: "panel" });
  const side = sideList({ store, runs, pin });
  const body = el("div", { class: "board" }, side.node, panel);
  replace(
    host,
    el(
      "header",
      { class: "board-top" },
      el("h1", {}, el("span", { class: "brand" }, "sg-track"), experiments.node),
      tabs,
      el("div", { class: "tools" }, mode, connection, themeButton()),
    ),
    trouble.node,
    body,
  );
  let shown = null;
  let first = "";
  let again = null;

  function showConnection() {
    connection.className = `connection is-${live.state}`;
    connection.textContent = STATES[live.state];
  }

  async function loadExperiments() {
    try {
      const [{ available_databases: names, current_database: current }, config] = await Promise.all([api.databases({}, signal), api.config({}, signal)]);
      trouble.clear("experiments");
      Object.assign(context.config, config);
      mode.hidden = !config.is_read_only;
      const { db } = store.state;
      first = current ?? names.toSorted()[0] ?? "";
      experiments.update(names, db || first);
      if (!names.length) showNothing(config.exp_dir);
      else if (!db) store.amend({ db: first });
      else if (!names.includes(db)) trouble.show("experiment", `There is no experiment ${db}.`, () => store.amend({ db: first }));
    } catch (error) {
      if (isAborted(error)) return;
      trouble.show("experiments", `The list of experiments is missing. ${error.message}`, loadExperiments);
      clearTimeout(again);
      again = setTimeout(loadExperiments, AGAIN_MS);
    }
  }

  function showNothing(folder) {
    body.classList.remove("has-side");
    replace(panel, nothing("No experiment yet", [
      "Record one, and it appears here by itself: ",
      el("code", {}, "pytest --sg-track"),
      " for tests, ",
      el("code", {}, "tracking.Tracker"),
      " for scripts.",
      folder && [" This page looks into ", name(folder, { class: "mono" }), "."],
    ]));
  }

  function showView(state, before) {
    if (!state.db) return;
    const view = VIEWS.find(({ key }) => key === state.view) ?? VIEWS[0];
    const hasTab = VIEWS.filter(({ title }) => title);
    replace(tabs, hasTab.map(({ key, title }) => el("a", { href: store.address({ view: key }), "aria-current": view.key === key ? "page" : null }, title)));
    body.classList.toggle("has-side", Boolean(view.hasSide));
    if (shown?.key !== view.key || state.db !== before.db) {
      shown?.ending.abort();
      const own = new AbortController();
      shown = { key: view.key, ending: own, view: view.create({ ...context, signal: own.signal }) };
      replace(panel, shown.view.node);
    }
    side.update(state);
    shown.view.update(state, before);
  }

  function turn(state, before) {
    if (!state.db && first) {
      store.amend({ db: first });
      return;
    }
    if (state.db !== before.db && state.db) {
      experiments.choose(state.db);
      trouble.clear("experiment");
      live.follow(state.db);
    }
    document.title = `${state.db.replace(/\.db$/, "")} · sg-track board`;
    showView(state, before);
  }

  store.subscribe(turn, signal);
  runs.subscribe(() => showView(store.state, store.state), signal);
  live.watch(showConnection, signal);
  live.subscribe((events) => {
    if (events.some(({ kind }) => kind === "databases")) loadExperiments();
  }, signal);
  const search = () => [...host.querySelectorAll(".search input")].find((field) => field.checkVisibility());
  listenForSearch(search, (field) => (store.state.q ? store.set({ q: "" }) : field.blur()));
  showConnection();
  loadExperiments();
  if (store.state.db) {
    turn(store.state, { ...store.state, db: "" });
    runs.load();
  }
}

function experimentSelect(store) {
  const node = el("select", { class: "select", "aria-label": "Experiment", hidden: true, onchange: () => store.set({ db: node.value, runs: "", run: "", a: "", b: "", test: "", metrics: "", q: "" }) });
  function choose(db) {
    node.value = db;
  }
  return {
    node,
    choose,
    update(names, db) {
      node.hidden = !names.length;
      replace(node, names.toSorted().map((one) => el("option", { value: one }, one.replace(/\.db$/, ""))));
      choose(db);
    },
  };
}
