// One metric of the chosen runs, drawn over each other.

import { isAborted } from "./api.js";
import { drawChart } from "./chart.js";
import { bandOf, lineOf, references } from "./chart_data.js";
import { placed, placesOf, pointsFor, refined, stepsBetween } from "./curve_data.js";
import { el, icon, name } from "./dom.js";
import { counted, nodeidParts } from "./format.js";
import { watchNear } from "./lazy.js";
import { looksOf } from "./palette.js";
import { identityOf } from "./runs.js";

/**
 * `curves` is the store of them. `update({ runs, axis, isLog, weight, pinned, baseline })` says what
 * to draw; `refresh()` that curves have changed. `onPick(identity)` is told of a click on a line.
 */
export function curveCard(metric, { curves, trouble, onPick, signal }) {
  const ending = new AbortController();
  signal.addEventListener("abort", () => ending.abort());
  const host = el("div", { class: "chart", role: "img", "aria-label": `Curves of ${metric}` });
  const facts = el("span", { class: "muted" });
  const reset = el("button", { type: "button", class: "button", hidden: true, onclick: () => chart.resetZoom() }, icon("reset"), "Reset zoom");
  const said = el("p", { class: "muted chart-note" });
  const node = el("article", { class: "card metric", "aria-label": metric }, el("div", { class: "card-head" }, el("h3", {}, name(metric)), facts, reset), host, said);
  let chart = null;
  let drawing = null;
  let now = null;
  let drawn = null;
  let isNear = false;
  let isDue = false;
  let zoom = null;
  let fine = new Map();
  let zooming = new AbortController();
  let made = new Map();

  watchNear(node, (next) => {
    isNear = next;
    if (isNear && isDue) render();
  }, ending.signal);

  function update(next) {
    if (now && (next.axis.kind !== now.axis.kind || next.axis.metric !== now.axis.metric)) forgetZoom();
    now = next;
    render();
  }

  function axisKey() {
    return `${now.axis.kind} ${now.axis.metric}`;
  }

  function own() {
    return now.runs.filter((run) => run.metrics?.includes(metric));
  }

  function render() {
    isDue = !isNear;
    if (!isNear || !now) return;
    const members = own();
    const points = pointsFor(host.clientWidth, members.length);
    curves.want(metric, members, points);
    if (now.axis.metric !== null) curves.want(now.axis.metric, members, points);
    draw(members);
  }

  function lines(members) {
    const looks = looksOf(now.runs);
    const isOne = members.length > 1 && members.every((run) => run.name === members[0].name);
    const before = made;
    made = new Map();
    return members.flatMap((run) => {
      const identity = identityOf(run);
      const whole = curves.curve(metric, run);
      if (!whole) return [];
      const finer = zoom ? fine.get(identity) : null;
      const other = now.axis.metric === null ? null : curves.curve(now.axis.metric, run);
      const look = looks.get(identity);
      const number = run.run_id ?? "new";
      const label = isOne ? `run ${number}` : `${nodeidParts(run.name)[1]} · ${number}`;
      const from = [whole, finer, other, now.axis.kind, label, look.dash];
      const known = before.get(identity);
      const line = known?.from.every((one, index) => one === from[index]) ? known.line : make(run, from, { key: identity, label, ...look });
      made.set(identity, { from, line });
      return [line];
    });
  }

  function make(run, [whole, finer, other], own) {
    const curve = finer ? refined(whole, finer) : whole;
    const places = placesOf(curve, now.axis.kind, { startedAt: run.started_at, other });
    const [xs, values] = placed(places, curve.values);
    return { ...own, ...lineOf(xs, values), places, steps: curve.steps };
  }

  function draw(members) {
    const found = lines(members);
    const n = found.filter((line) => line.xs.length).length;
    facts.textContent = n ? counted(n, "run") : "";
    const hidden = now.isLog ? found.reduce((sum, line) => sum + line.raw.filter((value) => value <= 0).length, 0) : 0;
    said.textContent = noteOf({ members, found, hidden });
    const compared = now.axis.kind === "step" ? now.baseline?.get(metric) : null;
    const model = {
      lines: found,
      band: compared ? bandOf(compared.metric.band) : null,
      references: compared ? references(compared.metric, compared.checks) : [],
    };
    const isComing = members.length > 0 && !n && members.some((run) => !curves.curve(metric, run));
    host.classList.toggle("is-coming", isComing);
    if (isComing) return;
    // An axis of another kind is another chart.
    if (chart && drawn !== axisKey()) end();
    if (!chart) {
      drawing = new AbortController();
      ending.signal.addEventListener("abort", end);
      drawn = axisKey();
      chart = drawChart(host, { model, smoothing: now.weight, isLog: now.isLog, axis: now.axis.kind, axisTitle: now.axis.metric, sync: `board ${drawn}`, onZoom, onPick, signal: drawing.signal });
    } else {
      chart.setModel(model, { isLog: now.isLog, smoothing: now.weight });
    }
    chart.focusOn(now.pinned);
  }

  function noteOf({ members, found, hidden }) {
    if (!now.runs.length) return "No run is chosen.";
    if (!members.length) return "None of the chosen runs has this metric.";
    if (hidden) return `${counted(hidden, "point")} at or below 0 cannot be shown on a log axis.`;
    if (now.axis.metric !== null && found.length && found.every((line) => !line.xs.length)) return `None of the chosen runs has ${now.axis.metric} at the same steps.`;
    return "";
  }

  function end() {
    drawing?.abort();
    chart = null;
  }

  function forgetZoom() {
    zooming.abort();
    zoom = null;
    fine = new Map();
    reset.hidden = true;
  }

  async function onZoom(range) {
    forgetZoom();
    zoom = range;
    reset.hidden = !range;
    const members = own();
    if (!range) return draw(members);
    const shown = lines(members);
    const thinned = members.filter((run) => {
      const curve = curves.curve(metric, run);
      return curve && curve.n > curve.steps.length;
    });
    const steps = stepsBetween(shown, range);
    if (!thinned.length || !steps) return;
    zooming = new AbortController();
    try {
      fine = await curves.part(metric, thinned, steps, pointsFor(1.5 * host.clientWidth, thinned.length), AbortSignal.any([zooming.signal, ending.signal]));
      trouble.clear(`zoom ${metric}`);
      draw(own());
    } catch (error) {
      if (!isAborted(error)) trouble.show(`zoom ${metric}`, `The part zoomed into is missing. ${error.message}`, () => onZoom(range));
    }
  }

  return { node, update, refresh: render, end: () => ending.abort() };
}
