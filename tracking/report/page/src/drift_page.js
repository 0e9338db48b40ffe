// What `sgtrack drift` found, as a page of its own: each metric that moved, over its runs.

import { aboutText, changesList, metricHead } from "./changes.js";
import { el, name, replace } from "./dom.js";
import { counted, when } from "./format.js";
import { themeButton } from "./header.js";
import { historyChart, pastOf } from "./history_chart.js";

export function mountDrift(host, data) {
  const pictures = new WeakMap();
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) if (target.clientWidth) replace(target, pictures.get(target)(target.clientWidth));
  });

  function card(found) {
    const { metric, statistic, n_left_out: nLeftOut } = found;
    const picture = el("div", { class: "history-host" });
    const pasts = found.runs.map(pastOf);
    pictures.set(picture, (width) => historyChart({ pasts, found, isByTime: false, width, label: `${statistic} of ${metric}` }));
    sizes.observe(picture);
    const said = [counted(found.n, "run"), nLeftOut > 0 && `${nLeftOut} earlier`, aboutText(found)].filter(Boolean).join(" · ");
    return el("article", { class: "card" }, metricHead(found, said), picture, changesList(found, null));
  }

  const tests = [...Map.groupBy(data.metrics, ({ test }) => test)].map(([test, metrics]) =>
    el("section", { class: "drift-test" }, el("h2", {}, name(test)), el("div", { class: "cards cards-wide" }, metrics.map(card))),
  );
  replace(host, header(data), el("main", {}, tests.length ? tests : el("p", { class: "missing" }, "No metric moved.")));
}

function header({ experiment, created_at: created, counts, since, significance }) {
  const asked = [since !== null && `since ${when(since)}`, `significance ${significance}`].filter(Boolean).join(" · ");
  return el(
    "header",
    { class: "page-header" },
    el(
      "div",
      { class: "title-line" },
      el("h1", {}, el("span", { class: "brand" }, "sgtrack drift"), name(experiment, { class: "experiment" })),
      el("time", { class: "muted" }, when(created)),
      el("div", { class: "tools" }, themeButton()),
    ),
    el("p", {}, counts, el("span", { class: "muted" }, ` · ${asked}`)),
  );
}
