// What a metric came to in the runs of its test, with axes: by run or by time; and where it moved.

import { changeText, marked, shortText, toneOf } from "./changes.js";
import { extent, linearRange } from "./chart_data.js";
import { svg } from "./dom.js";
import { counted, decoded, number } from "./format.js";
import { pastMark } from "./plot.js";
import { plotFrame } from "./plot_frame.js";
import { linear, time } from "./scales.js";

const HEIGHT = 190;
const WIDEST_TARGET = 16;
const LABEL_PX = 58;
const UNMOVED = { levels: [], changes: [] };

/**
 * The places of past runs, oldest first: { xScale, yScale, points: [{ past, x, y }], line, band,
 * levels: [{ level, from, to, y }], moves: [{ change, x }] }, all in shares. A run without a finite
 * value has y null; `line` joins the others, `band` is what was accepted, [low, high] or null. Where
 * there are several levels, each goes on to where it moved, which is between two runs. Pure.
 */
export function historyPlaces(pasts, isByTime, found = UNMOVED) {
  const values = pasts.map((past) => decoded(past.value));
  const xs = pasts.map((past, index) => (isByTime ? past.created_at : index));
  const [first, last] = extent([xs]);
  const xScale = isByTime ? time(first, last) : byRun(pasts);
  const yScale = linear(...linearRange(extent([values.filter((value) => value !== null)])));
  const points = pasts.map((past, index) => ({ past, x: xScale.at(xs[index]), y: values[index] === null ? null : yScale.at(values[index]) }));
  const accepted = points.filter(({ past, y }) => past.is_accepted && y !== null).map(({ y }) => y);
  const xOf = new Map(points.map(({ past, x }) => [past.run_id, x]));
  const between = (before, after) => (xOf.get(before) + xOf.get(after)) / 2;
  const levels = (found.levels.length > 1 ? found.levels : []).map((level, index) => {
    const [before, after] = [found.levels[index - 1], found.levels[index + 1]];
    return {
      level,
      from: before ? between(before.last_run, level.first_run) : xOf.get(level.first_run),
      to: after ? between(level.last_run, after.first_run) : xOf.get(level.last_run),
      y: yScale.at(level.value),
    };
  });
  const moves = marked(found).map((change) => ({ change, x: between(change.last_before.run_id, change.first_after.run_id) }));
  return { xScale, yScale, points, line: points.filter(({ y }) => y !== null), band: accepted.length ? extent([accepted]) : null, levels, moves };
}

/** A run as pictures of the past take it. */
export function pastOf({ started_at: created, ...point }) {
  return { ...point, created_at: created };
}

/** Places that say the numbers of runs. */
function byRun(pasts) {
  const last = pasts.length - 1;
  const at = (index) => (last ? index / last : 0.5);
  return {
    kind: "run",
    at,
    ticks(wanted) {
      const every = Math.max(1, Math.ceil(pasts.length / Math.max(wanted, 1)));
      return pasts.flatMap((past, index) => (index % every ? [] : [[at(index), `run ${past.run_id}`]]));
    },
    text: (from, to) => `${pasts[Math.ceil(from * last)]?.run_id} to ${pasts[Math.floor(to * last)]?.run_id}`,
  };
}

/**
 * The picture, `width` pixels wide. `found` says where the metric moved; `onOpen(past)` is called
 * when a run in the picture is clicked, if there is anything to open.
 */
export function historyChart({ pasts, found, isByTime, width, label, onOpen = null }) {
  const { xScale, yScale, points, line, band, levels, moves } = historyPlaces(pasts, isByTime, found);
  const said = [`${label} of ${counted(pasts.length, "run")}`, ...moves.map(({ change }) => changeText(change))].join("; ");
  const { node, area, x, y } = plotFrame({ width, height: HEIGHT, xScale, yScale, label: said });
  const bottom = area.top + area.height;
  const target = Math.min(WIDEST_TARGET, Math.max(3, area.width / pasts.length));
  node.classList.add("history");
  node.append(
    ...(band ? [svg("rect", { class: "accepted", x: area.left, width: area.width, y: y(band[1]) - 1, height: y(band[0]) - y(band[1]) + 2 }, svg("title", {}, "where accepted runs lie"))] : []),
    svg("polyline", { points: line.map((point) => `${x(point.x)},${y(point.y)}`).join(" ") }),
    ...levels.map(({ level, from, to, y: share }) =>
      svg("line", { class: "level", x1: x(from), x2: x(to), y1: y(share), y2: y(share) }, svg("title", {}, `level ${number(level.value)} of ${counted(level.n, "run")}`)),
    ),
    ...points.map((point) => {
      const at = { x: x(point.x), y: point.y === null ? bottom - 6 : y(point.y), top: area.top, height: area.height, width: target };
      const mark = pastMark(point.past, at);
      if (onOpen) mark.addEventListener("click", () => onOpen(point.past));
      return mark;
    }),
    ...moveMarks(moves, { x, area }),
  );
  node.classList.toggle("is-still", !onOpen);
  return node;
}

/** Lines where the metric moved; above them stands how far, where there is room for it. */
function moveMarks(moves, { x, area }) {
  const right = area.left + area.width;
  let free = 0;
  return moves.map(({ change, x: share }) => {
    const at = x(share);
    const middle = Math.min(at, right - LABEL_PX / 2);
    const hasRoom = middle - LABEL_PX / 2 >= free;
    if (hasRoom) free = middle + LABEL_PX / 2;
    return svg(
      "g",
      { class: `move tone-${toneOf(change)}` },
      svg("title", {}, changeText(change)),
      svg("line", { x1: at, x2: at, y1: area.top, y2: area.top + area.height }),
      hasRoom && svg("text", { class: "tick tick-x", x: middle, y: area.top - 2 }, shortText(change)),
    );
  });
}

/** What the accepted runs span, in words; null where none is known. */
export function acceptedText(pasts) {
  const values = pasts.filter((past) => past.is_accepted).map((past) => decoded(past.value)).filter(Number.isFinite);
  if (!values.length) return null;
  const [low, high] = extent([values]);
  return low === high ? `accepted ${number(low)}` : `accepted ${number(low)} to ${number(high)}`;
}
