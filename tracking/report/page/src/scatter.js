// One column against another: a point for each run.

import { svg } from "./dom.js";
import { placeOf } from "./hparams_data.js";
import { plotFrame, pointIn } from "./plot_frame.js";

const HEIGHT = 260;
const REACH = 12;

/** Points of `chosen` rows between two axes; `onHover(row, event)` and `onOpen(row)` as they say. */
export function scatter({ width, rows, chosen, xAxis, yAxis, colourOf, onHover, onOpen }) {
  const label = `${yAxis.column.name} against ${xAxis.column.name}`;
  const { node, x, y } = plotFrame({ width, height: HEIGHT, xScale: xAxis.scale, yScale: yAxis.scale, label });
  const points = rows.flatMap((row) => {
    const places = [placeOf(row, xAxis), placeOf(row, yAxis)];
    if (!chosen.has(row) || places.includes(null)) return [];
    const dot = svg("circle", { class: "dot", cx: x(places[0]), cy: y(places[1]), r: 4 });
    dot.style.fill = colourOf(row);
    return [{ row, dot, at: [x(places[0]), y(places[1])] }];
  });
  node.append(...points.map(({ dot }) => dot));
  let hovered = null;
  node.addEventListener("pointermove", (event) => {
    const found = nearest(points, pointIn(node, event));
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
    highlight(row) {
      for (const point of points) point.dot.classList.toggle("is-hovered", point.row === row);
      const found = points.find((point) => point.row === row);
      if (found) node.append(found.dot);
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
