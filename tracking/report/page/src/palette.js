// The colours of runs: each run keeps its own, whatever else is shown.

import { svg } from "./dom.js";

/** How many colours theme.css has; the next runs have them again with another dash. */
export const N_HUES = 10;
const DASHES = [[], [6, 3], [2, 2.5]];

/** { property, dash } of a run: runs that follow each other look most different. */
export function lookOf(run) {
  const number = run.run_id ?? Number.parseInt(run.uuid.slice(0, 6), 16);
  const place = number - 1 + N_HUES * DASHES.length;
  return {
    property: `--run-${place % N_HUES}`,
    dash: DASHES[Math.floor(place / N_HUES) % DASHES.length],
  };
}

/** A short line as the curve of that look is drawn. */
export function swatch({ property, dash }) {
  const line = svg("path", { d: "M0 3H22", "stroke-dasharray": dash.join(" ") || null });
  line.style.stroke = `var(${property})`;
  return svg("svg", { class: "swatch", viewBox: "0 0 22 6", "aria-hidden": "true" }, line);
}
