// Words for a place where there is nothing to see: what to do so that there is.

import { el } from "./dom.js";

export function nothing(title, content) {
  return el("div", { class: "nothing" }, el("h2", {}, title), el("p", { class: "muted" }, content));
}
