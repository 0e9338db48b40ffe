// Histograms, images and texts of the chosen runs, side by side.

import { el, name, replace } from "./dom.js";
import { counted } from "./format.js";
import { heatmap } from "./heatmap.js";
import { whenNear } from "./lazy.js";
import { lineDiff } from "./line_diff.js";
import { createLoader, throttled } from "./loading.js";
import { picture, stepper } from "./media.js";
import { byName, histogramsOf, imagesOf, itemAt, stepsOf, textsOf } from "./media_data.js";
import { histogramLimits } from "./plot.js";
import { runLink } from "./run_words.js";
import { refOf } from "./runs.js";

const MOST_RUNS = 6;
const REFRESH_MS = 5_000;

export const mediaView = { key: "media", title: "Media", hasSide: true, create };

function create({ store, api, live, runs, trouble, signal }) {
  const loader = createLoader({ name: "media", trouble, signal });
  const filter = el("input", { type: "search", placeholder: "Filter names", "aria-label": "Filter names", oninput: () => render() });
  const note = el("p", { class: "muted", role: "status" });
  const host = el("div");
  const node = el("section", { class: "view", "aria-label": "Media" }, el("div", { class: "view-tools" }, filter, note), host);
  // Where the reader has put sliders: a step, by kind and name; the newest where nothing is said.
  const places = new Map();
  const withChanges = new Set();
  let answers = null;
  let drawn = new AbortController();
  signal.addEventListener("abort", () => drawn.abort());

  const shownRuns = () => runs.chosen.slice(0, MOST_RUNS);

  function render() {
    drawn.abort();
    drawn = new AbortController();
    if (!answers) return replace(host);
    const words = filter.value.toLowerCase();
    const kinds = Object.entries(KINDS).map(([title, { card }], index) => {
      const sides = answers.map(({ run, found }) => ({ run, items: found[index] }));
      const cards = byName(sides)
        .filter(([own]) => own.toLowerCase().includes(words))
        .map(([own, ofName]) => card(own, ofName, { places, withChanges, store, signal: drawn.signal }));
      return cards.length > 0 && el("section", { class: "section" }, el("h2", {}, title), el("div", { class: "media-cards" }, cards));
    });
    return replace(host, kinds.some(Boolean) ? kinds : el("p", { class: "missing" }, nothing()));
  }

  function nothing() {
    if (!runs.chosen.length) return "No run is chosen. Choose some in the list of runs.";
    if (filter.value) return "Nothing is called like that.";
    return "The chosen runs saved no histograms, images or texts: tracker.histogram(name, values, step), tracker.image(…) and tracker.text(…) do.";
  }

  const refresh = throttled(() => loader.again(), REFRESH_MS, signal);
  live.subscribe((events) => {
    const running = new Set(shownRuns().filter((run) => run.status === "running").map((run) => run.uuid));
    if (events.some(({ kind, run }) => kind === "reload" || kind === "runs" || (kind === "records" && running.has(run)))) refresh();
  }, signal);

  return {
    node,
    update(state) {
      const chosen = shownRuns();
      const n_more = runs.chosen.length - chosen.length;
      note.textContent = n_more > 0 ? `The first ${chosen.length} of ${counted(runs.chosen.length, "chosen run")} are shown.` : "";
      if (!runs.isLoaded) return;
      loader.load(`${state.db} ${chosen.map(refOf)}`, (own) => ask(api, state.db, chosen, own), (found) => {
        answers = found;
        render();
      });
    },
  };
}

/** What was saved of each kind: [{ run, found: [histograms, images, texts] }]. */
function ask(api, db, chosen, signal) {
  return Promise.all(
    chosen.map(async (run) => ({
      run,
      found: await Promise.all(Object.values(KINDS).map(async ({ part, read }) => read(await api[part]({ db, id: refOf(run) }, signal)))),
    })),
  );
}

const KINDS = {
  Histograms: { part: "histograms", read: histogramsOf, card: histogramCard },
  Images: { part: "images", read: imagesOf, card: imageCard },
  Texts: { part: "texts", read: textsOf, card: textCard },
};

function histogramCard(own, sides, { store, signal }) {
  const limits = histogramLimits(sides.flatMap(({ items }) => items));
  const steps = stepsOf(sides);
  const range = steps.length > 1 ? [steps[0], steps.at(-1)] : [steps[0] - 0.5, steps[0] + 0.5];
  const pictures = sides.map(({ run, items }) => {
    const host = el("div", { class: "heat-host" });
    const label = `Histograms of ${own} of run ${refOf(run)} over ${counted(items.length, "step")}`;
    whenNear(host, () => replace(host, heatmap({ histograms: items, limits, steps: range, label, signal })), signal);
    return side(run, store, host);
  });
  return card(own, el("span", { class: "muted" }, "how many values, by value and step"), [el("div", { class: "sides sides-wide" }, pictures)]);
}

function imageCard(own, sides, { places, store }) {
  return stepCard("image", own, sides, places, ({ run, items }, step) => {
    const { current } = itemAt(items, step);
    return side(run, store, current ? [picture(current), isOlder(current, step)] : nothingYet());
  });
}

function textCard(own, sides, { places, withChanges, store }) {
  const box = el("input", { type: "checkbox", checked: withChanges.has(own) });
  const draw = ({ run, items }, step) => {
    const { current, previous } = itemAt(items, step);
    return side(run, store, current ? [textOf(own, current, box.checked ? previous : null), isOlder(current, step)] : nothingYet());
  };
  const made = stepCard("text", own, sides, places, draw, el("label", { class: "toggle" }, box, "changes since the step before"));
  box.addEventListener("change", () => {
    if (box.checked) withChanges.add(own);
    else withChanges.delete(own);
    made.querySelector(".stepper")?.dispatchEvent(new Event("redraw"));
  });
  return made;
}

function textOf(own, { content }, previous) {
  const lines = previous
    ? lineDiff(previous.content, content).map(({ kind, text }) => (kind === "same" ? `${text}\n` : el(kind === "added" ? "ins" : "del", {}, `${text}\n`)))
    : content;
  return el("pre", { tabindex: "0", dir: "auto", role: "region", "aria-label": `Text ${own}`, class: previous ? "has-changes" : null }, lines);
}

/** A card with a slider over the steps that any run has; `draw(side, step)` makes each run's part. */
function stepCard(kind, own, sides, places, draw, tools = null) {
  const steps = stepsOf(sides);
  const key = `${kind} ${own}`;
  const host = el("div", { class: "sides" });
  let at = steps.length - 1;
  function show(index) {
    at = index;
    // At its end a slider stays at its end when more steps come.
    if (index === steps.length - 1) places.delete(key);
    else places.set(key, steps[index]);
    replace(host, sides.map((one) => draw(one, steps[index])));
  }
  const start = places.has(key) ? steps.findLastIndex((step) => step <= places.get(key)) : -1;
  const slider = stepper(steps, own, show, start < 0 ? steps.length - 1 : start);
  slider.addEventListener("redraw", () => show(at));
  return card(own, tools, [slider, host]);
}

function card(own, tools, content) {
  return el("article", { class: "card" }, el("div", { class: "card-head" }, el("h3", {}, name(own)), tools), content);
}

function side(run, store, content) {
  return el("div", { class: "run-side" }, el("div", { class: "side-head" }, runLink(run, store)), content);
}

function isOlder({ step }, asked) {
  return step !== asked && el("p", { class: "muted" }, `from step ${step}`);
}

function nothingYet() {
  return el("p", { class: "muted" }, "Nothing yet at this step.");
}
