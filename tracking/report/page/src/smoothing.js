// One slider that smoothes all charts of a page.

import { el } from "./dom.js";

/** `subscribe(listener)` tells of every turn; the address keeps it. */
export function smoothingControl(store, signal) {
  const changes = new EventTarget();
  const slider = el("input", { type: "range", min: 0, max: 0.99, step: 0.01, id: "smoothing", value: weightIn(store.state), oninput });
  const output = el("output", { for: "smoothing" }, slider.value);
  function oninput() {
    output.textContent = slider.value;
    store.set({ smooth: slider.value });
    changes.dispatchEvent(new Event("change"));
  }
  return {
    node: el("div", { class: "smoothing" }, el("label", { for: "smoothing" }, "Smoothing"), slider, output),
    get weight() {
      return slider.valueAsNumber;
    },
    /** What the address says now. */
    show(state) {
      const weight = weightIn(state);
      if (slider.valueAsNumber === weight) return;
      slider.value = weight;
      output.textContent = slider.value;
    },
    subscribe: (listener) => changes.addEventListener("change", () => listener(slider.valueAsNumber), { signal }),
  };
}

function weightIn({ smooth }) {
  const weight = Number(smooth);
  return weight > 0 && weight < 1 ? weight : 0;
}
