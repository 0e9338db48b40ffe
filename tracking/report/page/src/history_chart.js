// What a metric came to in the runs of its test, with axes: by run or by time.

import { extent, linearRange } from "./chart_data.js";
import { svg } from "./dom.js";
import { counted, decoded, number } from "./format.js";
import { pastMark } from "./plot.js";
import { plotFrame } from "./plot_frame.js";
import { linear, time } from "./scales.js";

const HEIGHT = 190;
const WIDEST_TARGET = 16;

/**
 * The places of past runs, oldest first: { xScale, yScale, points: [{ past, x, y }], line, band },
 * all in shares. A run without a finite value has y null; `line` joins the others, `band` is what
 * was accepted, [low, high] or null. Pure.
 */
export function historyPlaces(pasts, isByTime) {
  const values = pasts.map((past) => decoded(past.value));
  const xs = pasts.map((past, index) => (isByTime ? past.created_at : index));
  const [first, last] = extent([xs]);
  const xScale = isByTime ? time(first, last) : byRun(pasts);
  const yScale = linear(...linearRange(extent([values.filter((value) => value !== null)])));
  const points = pasts.map((past, index) => ({ past, x: xScale.at(xs[index]), y: values[index] === null ? null : yScale.at(values[index]) }));
  const accepted = points.filter(({ past, y }) => past.is_accepted && y !== null).map(({ y }) => y);
  return { xScale, yScale, points, line: points.filter(({ y }) => y !== null), band: accepted.length ? extent([accepted]) : null };
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

/** The picture, `width` pixels wide; `onOpen(past)` when a run in it is clicked. */
export function historyChart({ pasts, isByTime, width, label, onOpen }) {
  const { xScale, yScale, points, line, band } = historyPlaces(pasts, isByTime);
  const said = `${label} of ${counted(pasts.length, "run")}`;
  const { node, area, x, y } = plotFrame({ width, height: HEIGHT, xScale, yScale, label: said });
  const bottom = area.top + area.height;
  const target = Math.min(WIDEST_TARGET, Math.max(3, area.width / pasts.length));
  node.classList.add("history");
  node.append(
    ...(band ? [svg("rect", { class: "accepted", x: area.left, width: area.width, y: y(band[1]) - 1, height: y(band[0]) - y(band[1]) + 2 }, svg("title", {}, "where accepted runs lie"))] : []),
    svg("polyline", { points: line.map((point) => `${x(point.x)},${y(point.y)}`).join(" ") }),
    ...points.map((point) => {
      const at = { x: x(point.x), y: point.y === null ? bottom - 6 : y(point.y), top: area.top, height: area.height, width: target };
      const mark = pastMark(point.past, at);
      mark.addEventListener("click", () => onOpen(point.past));
      return mark;
    }),
  );
  return node;
}

/** What the accepted runs span, in words; null where none is known. */
export function acceptedText(pasts) {
  const values = pasts.filter((past) => past.is_accepted).map((past) => decoded(past.value)).filter(Number.isFinite);
  if (!values.length) return null;
  const [low, high] = extent([values]);
  return low === high ? `accepted ${number(low)}` : `accepted ${number(low)} to ${number(high)}`;
}
