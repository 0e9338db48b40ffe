// The runs that the axes of hyper-parameters leave, in a table that can be sorted.

import { el, name, replace } from "./dom.js";
import { count } from "./format.js";
import { sortedRows, valueText } from "./hparams_data.js";
import { lookOf, swatch } from "./palette.js";
import { refOf } from "./runs.js";

const MOST_ROWS = 100;

/** `onHover(row)` is told over which row the pointer is, `onSorted()` that the order is another. */
export function hparamsTable({ store, onHover, onSorted }) {
  const head = el("tr");
  const body = el("tbody");
  const more = el("button", { type: "button", class: "button", onclick: () => onMore() });
  const node = el(
    "div",
    { class: "card table-card" },
    el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Runs" }, el("table", { class: "plain" }, el("thead", {}, head), body)),
    more,
  );
  let sort = "";
  let most = MOST_ROWS;
  let shown = { columns: [], rows: [] };
  let rowOf = new Map();

  function show(columns, rows) {
    shown = { columns, rows };
    const sorted = sort ? sortedRows(rows, sort) : rows;
    const visible = sorted.slice(0, most);
    const cells = columns.map((column) => ({ column, className: column.isNumeric ? "number" : null }));
    replace(head, heading({ key: "name", name: "Run" }, null), cells.map(({ column, className }) => heading(column, className)));
    const rendered = visible.map((row) => [row, tableRow(row, cells)]);
    rowOf = new Map(rendered);
    replace(body, rendered.map(([, tr]) => tr));
    more.hidden = visible.length === rows.length;
    more.textContent = `Show ${count(rows.length - visible.length)} more`;
  }

  function onMore() {
    most = Infinity;
    show(shown.columns, shown.rows);
  }

  function heading({ key, name: words }, className) {
    const isMine = sort.replace(/^-/, "") === key;
    const isDown = sort.startsWith("-");
    const turn = () => {
      sort = isMine && !isDown ? `-${key}` : key;
      onSorted();
      [...head.children].find((one) => one.dataset.key === key)?.querySelector("button").focus();
    };
    const th = el(
      "th",
      { scope: "col", class: className, "aria-sort": isMine ? (isDown ? "descending" : "ascending") : null },
      el("button", { type: "button", onclick: turn }, name(words), el("span", { class: "arrow", "aria-hidden": "true" }, isMine ? (isDown ? "↓" : "↑") : "")),
    );
    th.dataset.key = key;
    return th;
  }

  function tableRow(row, cells) {
    const { run } = row;
    return el(
      "tr",
      { onpointerenter: () => onHover(row), onpointerleave: () => onHover(null) },
      el("td", {}, el("a", { class: "run-link", href: store.address({ view: "run", run: refOf(run) }) }, swatch(lookOf(run)), el("span", { class: "muted" }, `${run.run_id} `), name(run.name))),
      cells.map(({ column, className }) => el("td", { class: className }, name(valueText(column, row)))),
    );
  }

  return {
    node,
    show,
    highlight(row) {
      body.querySelector(".is-hovered")?.classList.remove("is-hovered");
      rowOf.get(row)?.classList.add("is-hovered");
    },
  };
}
