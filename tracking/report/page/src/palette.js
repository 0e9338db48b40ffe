// How runs are told apart: each keeps its colour, whatever else is shown.

import { svg } from "./dom.js";
import { identityOf } from "./runs.js";

/** How many colours theme.css has. */
const N_HUES = 10;
const DASHES = [[], [7, 3], [2, 2.5]];

/** { property, dash } of a run by itself: runs that follow each other look most different. */
export function lookOf(run) {
  const number = run.run_id ?? Number.parseInt(run.uuid.slice(0, 6), 16);
  return { property: `--run-${(number - 1 + N_HUES) % N_HUES}`, dash: [] };
}

/** The looks of runs beside each other, by identity: those of one colour have other dashes. */
export function looksOf(runs) {
  const seen = new Map();
  return new Map(
    runs.map((run) => {
      const { property } = lookOf(run);
      const nth = seen.get(property) ?? 0;
      seen.set(property, nth + 1);
      return [identityOf(run), { property, dash: DASHES[nth] ?? [] }];
    }),
  );
}

/** A short line as the curve of that look is drawn. */
export function swatch({ property, dash }) {
  const line = svg("path", { d: "M0 3H22", "stroke-dasharray": dash.join(" ") || null });
  line.style.stroke = `var(${property})`;
  return svg("svg", { class: "swatch", viewBox: "0 0 22 6", "aria-hidden": "true" }, line);
}
