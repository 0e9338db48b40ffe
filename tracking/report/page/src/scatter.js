// One column against another: a point for each run.

import { svg } from "./dom.js";
import { placeOf } from "./hparams_data.js";
import { plotFrame, pointIn } from "./plot_frame.js";

const HEIGHT = 260;
const REACH = 12;

/**
 * Points of rows between two axes; `onHover(row, event)` and `onOpen(row)` as they say. `keep(rows)`
 * leaves only some, `highlight(row)` has one stand out.
 */
export function scatter({ width, rows, xAxis, yAxis, colourOf, onHover, onOpen }) {
  const label = `${yAxis.column.name} against ${xAxis.column.name}`;
  const { node, x, y } = plotFrame({ width, height: HEIGHT, xScale: xAxis.scale, yScale: yAxis.scale, label });
  const points = rows.flatMap((row) => {
    const places = [placeOf(row, xAxis), placeOf(row, yAxis)];
    if (places.includes(null)) return [];
    const dot = svg("circle", { class: "point", cx: x(places[0]), cy: y(places[1]), r: 4 });
    dot.style.fill = colourOf(row);
    return [{ row, dot, at: [x(places[0]), y(places[1])] }];
  });
  node.append(...points.map(({ dot }) => dot));
  let kept = points;
  let hovered = null;
  let marked = null;
  node.addEventListener("pointermove", (event) => {
    const found = nearest(kept, pointIn(node, event));
    if (found !== hovered) onHover(found?.row ?? null, event);
    hovered = found;
  });
  node.addEventListener("pointerleave", () => {
    hovered = null;
    onHover(null);
  });
  node.addEventListener("click", () => hovered && onOpen(hovered.row));
  return {
    node,
    keep(rowsKept) {
      kept = points.filter((point) => rowsKept.has(point.row));
      for (const point of points) point.dot.classList.toggle("is-left-out", !rowsKept.has(point.row));
    },
    highlight(row) {
      marked?.dot.classList.remove("is-hovered");
      marked = points.find((point) => point.row === row) ?? null;
      marked?.dot.classList.add("is-hovered");
      if (marked) node.append(marked.dot);
    },
  };
}

function nearest(points, [x, y]) {
  let [best, away] = [null, REACH];
  for (const point of points) {
    const distance = Math.hypot(point.at[0] - x, point.at[1] - y);
    if (distance < away) [best, away] = [point, distance];
  }
  return best;
}
