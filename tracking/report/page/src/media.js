// What else a test left: histograms, images, texts.

import { el, name, replace } from "./dom.js";
import { counted, number } from "./format.js";
import { rgba } from "./media_data.js";
import { bars, histogramLimits } from "./plot.js";

export function histograms(all) {
  return grid("Histograms", all, (own) => {
    const limits = histogramLimits(own);
    return stepped(own, (one) => {
      const n = one.counts.reduce((a, b) => a + b, 0);
      const said = [counted(n, "value"), one.n_non_finite && `${one.n_non_finite} not finite`].filter(Boolean).join(" · ");
      return [
        bars(one, limits, `Histogram at step ${one.step}: ${said}`),
        el("div", { class: "range muted" }, el("span", {}, number(limits.low, 4)), el("span", {}, said), el("span", {}, number(limits.high, 4))),
      ];
    });
  });
}

export function images(all) {
  return grid("Images", all, (own) => stepped(own, picture));
}

/** An image, `png` or raw `pixels` in base64, and its size. */
export function picture(one) {
  const alt = `${one.name} at step ${one.step}`;
  const drawn = one.png === undefined ? canvasOf(one, alt) : el("img", { src: `data:image/png;base64,${one.png}`, alt, width: one.width, height: one.height });
  if (!drawn) return el("p", { class: "muted" }, "Its bytes are not those of an image of its size.");
  // A small image is enlarged by a whole factor, so that its pixels stay square.
  drawn.style.width = `${one.width * Math.max(1, Math.floor(224 / Math.max(one.width, one.height)))}px`;
  return [el("div", { class: "picture" }, drawn), el("div", { class: "range muted" }, `${one.width} × ${one.height}`)];
}

function canvasOf(one, alt) {
  const { width, height, pixels } = one;
  const bytes = rgba(one, Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0)));
  if (!bytes) return null;
  const canvas = el("canvas", { width, height, role: "img", "aria-label": alt });
  canvas.getContext("2d").putImageData(new ImageData(bytes, width, height), 0, 0);
  return canvas;
}

export function texts(all) {
  return grid("Texts", all, (own) =>
    stepped(own, (one) => {
      const attributes = { tabindex: "0", dir: "auto", role: "region", "aria-label": `Text ${one.name}` };
      return el("pre", attributes, one.content);
    }),
  );
}

function grid(title, all, content) {
  if (!all.length) return null;
  const cards = [...Map.groupBy(all, (one) => one.name)].map(([own, items]) =>
    el("article", { class: "card" }, el("div", { class: "card-head" }, el("h3", {}, name(own))), content(items)),
  );
  return el("section", { class: "section" }, el("h2", {}, title), el("div", { class: `cards cards-${title.toLowerCase()}` }, cards));
}

/** The newest of several steps, and a slider to the others. */
function stepped(items, draw) {
  const host = el("div");
  const show = (index) => replace(host, draw(items[index]));
  return [host, stepper(items.map((item) => item.step), items[0].name, show)];
}

/** A slider over steps; `show(index)` is told where it stands, first at `start`, by default the last. */
export function stepper(steps, label, show, start = steps.length - 1) {
  const output = el("output", {});
  function go(index) {
    show(index);
    output.textContent = `step ${steps[index]}`;
  }
  const slider = el("input", {
    type: "range",
    min: 0,
    max: steps.length - 1,
    value: start,
    "aria-label": `Step of ${label}`,
    oninput: (event) => go(event.target.valueAsNumber),
  });
  go(start);
  return el("div", { class: "stepper" }, steps.length > 1 && slider, output);
}
