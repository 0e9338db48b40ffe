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

  function render(answers) {
    drawn.abort();
    drawn = new AbortController();
    const pairs = answers ? graphPairs(answers.map(({ graphs }) => graphs)) : [];
    if (!answers?.length) return replace(host, nothing("Computation graphs", "Choose a run to see the graphs it saved."));
    if (!pairs.length) return replace(host, nothing("No graph was saved", ["A run saves one by ", el("code", {}, "tracker.save_comp_graph(model, inputs=(x,))"), "."]));
    let number = 0;
    return replace(host, pairs.map(({ name, sides }) => {
      const marked = sides.length > 1 ? withMarks(sides) : sides;
      return el("section", { class: "section graph-sides" }, marked.map((graph, index) => {
        number += 1;
        const run = runs.find(answers[index].ref);
        const view = graph ? graphView(graph, number, drawn.signal) : el("p", { class: "card muted" }, `This run has no graph ${name}.`);
        return el("div", { class: "graph-of-run" }, sides.length > 1 && run && el("div", { class: "side-head" }, runLink(run, store)), view);
      }));
    }));
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
      if (!ids.length) {
        loader.forget();
        return render(null);
      }
      const ask = async (ref, own) => ({ ref, graphs: (await api.graphs({ db: state.db, id: ref }, own)).graphs.map(({ graph }) => graph) });
      return loader.load(`${state.db} ${ids}`, (own) => Promise.all(ids.map((id) => ask(id, own))), render);
    },
  };
}
