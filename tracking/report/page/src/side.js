// The list of runs beside the views: which of them are drawn, and in which colour.

import { el, icon, name, replace } from "./dom.js";
import { count, nodeidParts, when } from "./format.js";
import { keyed } from "./keyed.js";
import { lookOf, looksOf, swatch } from "./palette.js";
import { identityOf } from "./runs.js";
import { fitting } from "./run_list.js";
import { searchBox } from "./table.js";
import { label, tone } from "./verdicts.js";

const MOST = 200;

/** `pin` has the run that stands out in the charts. */
export function sideList({ store, runs, pin }) {
  const body = el("ul", { class: "side-runs" });
  const search = searchBox(store, { placeholder: "Filter runs", label: "Filter runs by name, verdict or config" });
  const said = el("span", { class: "muted", role: "status" });
  const following = el("input", { type: "checkbox", onchange: () => runs.setFollowing(following.checked) });
  const title = el("span", {}, "Runs");
  const rest = el("p", { class: "muted side-rest" });
  const all = button("All", () => runs.choose(fitting(runs.all, store.state.q).slice(0, MOST)));
  const none = button("None", () => runs.choose([]));
  const content = el(
    "div",
    { class: "side-content", id: "side-content" },
    search.node,
    el("div", { class: "side-tools" }, all, none, button("Newest", runs.chooseNewest), said),
    el("label", { class: "toggle" }, following, "Follow new runs"),
    body,
    rest,
  );
  // Where there is no room beside the views, the list is opened by its title.
  const opener = el("button", { type: "button", class: "side-opener", "aria-expanded": "false", "aria-controls": "side-content", onclick: open }, title, icon("next"));
  const node = el("aside", { class: "side", "aria-label": "Runs" }, opener, content);
  function open() {
    opener.setAttribute("aria-expanded", node.classList.toggle("is-open"));
  }

  let looks = new Map();
  const show = keyed(body, identityOf, (run) => row(run, { runs, pin, lookNow: (now) => looks.get(identityOf(now)) ?? lookOf(now) }));
  function update(state) {
    const found = fitting(runs.all, state.q);
    const chosen = runs.chosen;
    looks = looksOf(chosen);
    show(found.slice(0, MOST));
    const isChosen = new Set(chosen.map(identityOf));
    for (const box of body.querySelectorAll("input")) {
      box.checked = isChosen.has(box.dataset.run);
      box.closest("li").classList.toggle("is-pinned", box.dataset.run === pin.identity);
    }
    said.textContent = `${count(chosen.length)} of ${count(runs.all.length)} shown`;
    title.textContent = `Runs: ${count(chosen.length)} of ${count(runs.all.length)}`;
    replace(rest, runs.part && `${runs.part} `, found.length > MOST && `${count(found.length - MOST)} more; a filter finds them.`, runs.isLoaded && runs.all.length > 0 && !found.length && "No run is like that.");
    following.checked = Boolean(state.follow);
    search.update(state.q);
  }
  return { node, update };
}

function button(words, onclick) {
  return el("button", { type: "button", class: "button", onclick }, words);
}

function row(run, { runs, pin, lookNow }) {
  const identity = identityOf(run);
  const box = el("input", { type: "checkbox", "data-run": identity, onchange: () => runs.toggle(runs.find(identity)) });
  const mark = el("i", { class: "dot", "aria-hidden": "true" });
  const state = el("span", { class: "off-screen" });
  const text = el("span", { class: "side-name" }, name(nodeidParts(run.name)[1]));
  const facts = el("span", { class: "side-facts muted" });
  const colours = el("button", { type: "button", class: "swatch-place", title: "Have this run stand out", "aria-label": `Have run ${run.run_id ?? "new"} stand out`, onclick: () => pin.toggle(identity) });
  const node = el(
    "li",
    {},
    colours,
    el("label", { title: run.name.slice(0, 500) }, box, el("span", { class: "side-words" }, text, facts), mark, state),
  );
  return {
    node,
    update(now) {
      replace(colours, swatch(lookNow(now)));
      facts.textContent = `${now.run_id ?? "new"} · ${when(now.started_at)}`;
      mark.className = now.status === "running" ? "dot is-running" : `dot tone-${tone(now.verdict)}`;
      mark.title = stateOf(now);
      state.textContent = stateOf(now);
    },
  };
}

/** How a run stands, in words. */
export function stateOf(run) {
  if (run.is_abandoned) return "abandoned";
  if (run.status === "running") return "running";
  return run.verdict ? label(run.verdict) : (run.outcome ?? run.status);
}
