// What a chart says of the place under the cursor.

import { nearestPoint } from "./chart_data.js";
import { el, name, replace } from "./dom.js";
import { number } from "./format.js";
import { swatch } from "./palette.js";

const MOST_ROWS = 12;

/**
 * `here` has the nearest point of each line that is there, { line, x, beside, value, average };
 * `along` says a place on the axis, `hovered` is the key of the line that stands out.
 */
export function fillTip(tip, { along, here, hovered, model, isSmoothed }) {
  const { x } = here.reduce((a, b) => (b.beside < a.beside ? b : a));
  const rows = here.length > 1 ? many(here, hovered) : one(here[0], isSmoothed);
  replace(tip, [row(along.title, along.say(x)), rows, compared(model, x)]);
}

/** Beside the cursor, where there is room. */
export function placeTip(tip, over, left) {
  const space = over.clientWidth - tip.offsetWidth;
  const beside = left > over.clientWidth / 2 ? left - tip.offsetWidth - 12 : left + 12;
  tip.style.left = `${Math.max(0, Math.min(space, beside))}px`;
}

function one({ line, value, average }, isSmoothed) {
  return [row(line.label, number(value), swatch(line)), isSmoothed && average !== null && row("smoothed", number(average))];
}

/** Of many lines those around the one that stands out, the largest first. */
function many(here, hovered) {
  const sorted = here.toSorted((a, b) => rank(b) - rank(a));
  const middle = Math.max(0, sorted.findIndex(({ line }) => line.key === hovered));
  const first = Math.max(0, Math.min(sorted.length - MOST_ROWS, middle - MOST_ROWS / 2));
  const rows = sorted.slice(first, first + MOST_ROWS).map(({ line, value, average }) => {
    const said = number(average ?? value, 5);
    return el("div", { class: line.key === hovered ? "is-hovered" : null }, swatch(line), name(line.label, { class: "tip-name" }), el("b", {}, said));
  });
  const n = sorted.length - rows.length;
  return [rows, n > 0 && el("div", { class: "muted" }, `and ${n} more`)];
}

function rank({ value, average }) {
  const shown = average ?? value;
  return Number.isNaN(shown) ? -Infinity : shown;
}

function compared({ band, references }, x) {
  const place = band && nearestPoint(band, x);
  return [
    place !== null && band && band.xs[place] === x && row("accepted", `${number(band.low[place])} … ${number(band.high[place])}`, keyOf("band")),
    references.map(({ statistic, at }) => row(`baseline ${statistic}`, number(at), keyOf("reference"))),
  ];
}

function row(what, text, key) {
  return el("div", {}, key, el("span", {}, what), el("b", {}, text));
}

function keyOf(what) {
  return el("i", { class: `key key-${what}` });
}
