// What else a test left: histograms, images, texts.

import { el, name, replace } from "./dom.js";
import { counted, number } from "./format.js";
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
  return grid("Images", all, (own) =>
    stepped(own, (one) => {
      const alt = `${one.name} at step ${one.step}`;
      const picture = el("img", { src: `data:image/png;base64,${one.png}`, alt, width: one.width, height: one.height });
      // A small image is enlarged by a whole factor, so that its pixels stay square.
      picture.style.width = `${one.width * Math.max(1, Math.floor(224 / Math.max(one.width, one.height)))}px`;
      return [el("div", { class: "picture" }, picture), el("div", { class: "range muted" }, `${one.width} × ${one.height}`)];
    }),
  );
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
  const output = el("output", {});
  function show(index) {
    replace(host, draw(items[index]));
    output.textContent = `step ${items[index].step}`;
  }
  const slider = el("input", {
    type: "range",
    min: 0,
    max: items.length - 1,
    value: items.length - 1,
    "aria-label": `Step of ${items[0].name}`,
    oninput: (event) => show(event.target.valueAsNumber),
  });
  show(items.length - 1);
  return [host, el("div", { class: "stepper" }, items.length > 1 && slider, output)];
}
