// The curves of one metric of two runs over each other.

import { drawChart } from "./chart.js";
import { lineOf } from "./chart_data.js";
import { el, icon } from "./dom.js";
import { whenNear } from "./lazy.js";
import { createLoader } from "./loading.js";
import { refOf } from "./runs.js";

/** How A and B are drawn: whichever runs they are, they differ. */
export const LOOKS = [
  { property: "--run-0", dash: [] },
  { property: "--run-1", dash: [] },
];

/** A chart that loads itself when it comes near; `sides` are the two runs, A first. */
export function comparedCurves(metric, sides, { api, db, smoothing, trouble, signal }) {
  const host = el("div", { class: "chart", role: "img", "aria-label": `Curves of ${metric} in both runs` });
  const log = el("button", { type: "button", class: "button", "aria-pressed": "false", onclick: toggleLog }, "Log");
  const reset = el("button", { type: "button", class: "button", hidden: true }, icon("reset"), "Reset zoom");
  const loader = createLoader({ name: `curve ${metric}`, trouble, signal });
  let chart = null;
  const isLog = () => log.getAttribute("aria-pressed") === "true";
  function toggleLog() {
    log.setAttribute("aria-pressed", String(!isLog()));
    chart?.setLog(isLog());
  }
  function show({ runs }) {
    chart = drawChart(host, { model: modelOf(sides, runs), isLog: isLog(), smoothing: smoothing.weight, onZoom: (range) => {
      reset.hidden = !range;
    }, signal });
    reset.addEventListener("click", () => chart.resetZoom());
    smoothing.subscribe((weight) => chart.setSmoothing(weight));
  }
  whenNear(
    host,
    () => {
      const points = Math.max(200, 2 * host.clientWidth);
      loader.load(metric, (own) => api.curves({ db, metric, runs: sides.map(refOf).join(","), points }, own), show);
    },
    signal,
  );
  return el("div", { class: "chart-box" }, host, el("div", { class: "chart-tools" }, reset, log));
}

/** What the chart draws: a line of each run that has the metric, in the colour of its side. Pure. */
export function modelOf(sides, curves) {
  const lines = sides.flatMap((run, index) => {
    const { steps, values } = curves[refOf(run)]?.curve ?? { steps: [], values: [] };
    return steps.length ? [{ key: refOf(run), label: `${"AB"[index]} ${refOf(run)}`, ...LOOKS[index], ...lineOf(steps, values) }] : [];
  });
  return { lines, band: null, references: [] };
}
