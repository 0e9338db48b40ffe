// The computation graphs of a run, or those of two runs beside each other.

import { el, replace } from "./dom.js";
import { nothing } from "./empty.js";
import { graphView } from "./graph.js";
import { graphPairs, withMarks } from "./graphs_data.js";
import { createLoader } from "./loading.js";
import { picker } from "./picker.js";
import { runChoices, runLink } from "./run_words.js";
import { refOf } from "./runs.js";

export const graphsView = { key: "graphs", title: "Graphs", create };

function create({ store, api, runs, trouble, signal }) {
  const loader = createLoader({ name: "graphs", trouble, signal });
  const a = picker({ label: "Run", placeholder: "Find a run", onPick: (id) => store.set(store.state.b ? { a: id, run: id } : { run: id, a: id }) });
  const b = picker({ label: "Beside", placeholder: "Find another run", onPick: (id) => store.set({ a: idsOf(store.state)[0] ?? "", b: id }) });
  const alone = el("button", { type: "button", class: "button", onclick: () => store.set({ run: idsOf(store.state)[0] ?? "", a: "", b: "" }) }, "Only one run");
  const host = el("div");
  const node = el("section", { class: "view", "aria-label": "Graphs" }, el("div", { class: "view-tools" }, a.node, b.node, alone), host);
  let drawn = new AbortController();
  signal.addEventListener("abort", () => drawn.abort());

  function render({ sides, nodes }) {
    drawn.abort();
    drawn = new AbortController();
    if (!sides.length) return replace(host, nothing("Computation graphs", "Choose a run to see the graphs it saved."));
    const pairs = graphPairs(sides.map(({ graphs }) => graphs));
    if (!pairs.length) return replace(host, nothing("No graph was saved", ["A run saves one by ", el("code", {}, "tracker.save_comp_graph(model, inputs=(x,))"), "."]));
    return replace(host, pairs.map((pair, index) =>
      el("div", { class: "graph-sides" }, withMarks(pair, nodes).map((graph, side) => oneGraph(graph, index + 1, sides[side].ref, sides.length > 1))),
    ));
  }

  function oneGraph(graph, number, ref, isBeside) {
    const run = runs.find(ref);
    const view = graph ? graphView(graph, number, drawn.signal) : el("p", { class: "card muted" }, "This run saved no such graph.");
    return el("div", { class: "graph-of-run" }, isBeside && run && el("div", { class: "side-head" }, runLink(run, store)), view);
  }

  /** What the address asks for: two runs where it names two, else the open one or the first chosen. */
  function idsOf({ run, a: one, b: other }) {
    if (one && other) return [one, other];
    const single = run || one || (runs.chosen[0] && refOf(runs.chosen[0]));
    return single ? [single] : [];
  }

  return {
    node,
    update(state) {
      const choices = runChoices(runs.all);
      const ids = idsOf(state);
      a.show(choices, ids[0] ?? "");
      b.show(choices, ids[1] ?? "");
      alone.hidden = ids.length < 2;
      if (!runs.isLoaded) return null;
      if (!ids.length) {
        loader.forget();
        return render({ sides: [], nodes: [] });
      }
      return loader.load(`${state.db} ${ids}`, (own) => ask(api, state.db, ids, own), render);
    },
  };
}

/** The graphs of one run or two, and which of their nodes differ: { sides, nodes }. */
async function ask(api, db, ids, signal) {
  const [a, b] = ids;
  const [{ graph_nodes: nodes }, ...answers] = await Promise.all([
    b ? api.diff({ db, a, b }, signal) : { graph_nodes: [] },
    ...ids.map((id) => api.graphs({ db, id }, signal)),
  ]);
  return { nodes, sides: answers.map(({ graphs }, index) => ({ ref: ids[index], graphs })) };
}
