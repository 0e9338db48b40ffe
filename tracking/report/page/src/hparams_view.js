// Hyper-parameters against metrics: lines, points, and the table of the same runs.

import { el, name, replace } from "./dom.js";
import { counted } from "./format.js";
import { axisOf, columnsOf, inBrushes, placeOf, rowsOf, usualChoice, valueText } from "./hparams_data.js";
import { hparamsTable } from "./hparams_table.js";
import { createLoader, throttled } from "./loading.js";
import { parallelPlot } from "./parallel.js";
import { pointIn } from "./plot_frame.js";
import { rampColour } from "./ramp.js";
import { refOf } from "./runs.js";
import { scatter } from "./scatter.js";
import { onThemeChange } from "./theme.js";

const STATISTICS = ["last", "tail", "min", "max", "mean"];
const REFRESH_MS = 3_000;
const TABLE_MS = 120;

export const hparamsView = { key: "hparams", title: "Hyper-parameters", create };

function create({ store, api, live, runs, trouble, signal }) {
  const loader = createLoader({ name: "hparams", trouble, signal });
  const chosen = { keys: null, statistic: "last", colour: null, x: null, y: null, kinds: new Map(), isOnlyChosen: false };
  let brushes = new Map();
  let answer = [];
  let rows = [];
  let columns = [];
  let axes = [];
  let points = null;
  let usual = usualChoice([]);

  const tip = el("div", { class: "tip", hidden: true });
  const status = el("p", { class: "muted", role: "status" });
  const clear = el("button", { type: "button", class: "button", hidden: true, onclick: () => setBrushes(new Map(), true) }, "Clear filters");
  const statistic = select("Statistic", (value) => change({ statistic: value }));
  const colouring = select("Colour", (value) => change({ colour: value }));
  const across = select("Across", (value) => change({ x: value }));
  const upwards = select("Up", (value) => change({ y: value }));
  const picked = el("details", { class: "chooser" }, el("summary", {}, "Columns"));
  const only = el("input", { type: "checkbox", onchange: () => change({ isOnlyChosen: only.checked }) });
  const table = hparamsTable({ store, onHover: hover, onSorted: () => table.show(shownColumns(), inside()) });
  const lines = parallelPlot({
    onBrush: (next) => setBrushes(next, false),
    onHover: hover,
    onOpen: open,
    onKind: (key, kind) => {
      chosen.kinds.set(key, kind);
      brushes.delete(key);
      render();
    },
    signal,
  });
  const legend = el("div", { class: "ramp-legend muted" });
  const pointsHost = el("div", { class: "scatter" });
  const full = el(
    "div",
    { class: "view" },
    el("div", { class: "view-tools" }, statistic.node, colouring.node, picked, el("label", { class: "toggle" }, only, "only chosen runs"), clear, status),
    el("div", { class: "card plot-card" }, legend, lines.node, tip),
    el("div", { class: "card plot-card" }, el("div", { class: "view-tools" }, across.node, upwards.node), pointsHost),
    table.node,
  );
  const empty = el("p", { class: "missing" });
  const node = el("section", { class: "view", "aria-label": "Hyper-parameters" }, empty, full);

  const inside = () => inBrushes(rows, axes, brushes);
  const shownColumns = () => axes.map(({ column }) => column);

  function change(changes) {
    Object.assign(chosen, changes);
    render();
  }

  function render() {
    const asked = chosen.isOnlyChosen ? answer.filter((run) => runs.chosen.some((one) => one.run_id === run.run_id)) : answer;
    rows = rowsOf(asked, chosen.statistic);
    columns = columnsOf(rows);
    const known = new Map(columns.map((column) => [column.key, column]));
    usual = usualChoice(columns);
    const keys = (chosen.keys ?? usual.keys).filter((key) => known.has(key));
    axes = keys.map((key) => axisOf(known.get(key), rows, chosen.kinds.get(key)));
    brushes = new Map([...brushes].filter(([key]) => keys.includes(key)));
    empty.hidden = rows.length > 0;
    full.hidden = !rows.length;
    empty.textContent = "No run to compare yet. Give runs a config and record a metric: tracker.config(lr=0.1), tracker.record(\"loss\", value, step).";
    showTools(keys);
    const colourOf = colours();
    lines.show({ rows, axes, brushes, chosen: new Set(inside()), colourOf });
    drawPoints(colourOf);
    showInside();
  }

  function showInside() {
    const found = inside();
    status.textContent = found.length < rows.length ? `${found.length} of ${counted(rows.length, "run")}` : counted(rows.length, "run");
    clear.hidden = !brushes.size;
    table.show(shownColumns(), found);
    points?.keep(new Set(found));
  }

  function drawPoints(colourOf = colours()) {
    const [x, y] = [axisOfKey(chosen.x ?? usual.across), axisOfKey(chosen.y ?? usual.metric)];
    const isThere = x && y && pointsHost.clientWidth;
    points = isThere ? scatter({ width: pointsHost.clientWidth, rows, xAxis: x, yAxis: y, colourOf, onHover: hover, onOpen: open }) : null;
    replace(pointsHost, points?.node);
    points?.keep(new Set(inside()));
  }

  function axisOfKey(key) {
    const column = columns.find((one) => one.key === key);
    return column ? axisOf(column, rows, chosen.kinds.get(key)) : null;
  }

  function colours() {
    const axis = axisOfKey(chosen.colour ?? usual.metric);
    replace(legend, axis && rampLegend(axis));
    return (row) => rampColour(axis ? placeOf(row, axis) : null);
  }

  function setBrushes(next, isOutside) {
    brushes = next;
    if (isOutside) render();
    else showInsideSoon();
    return inside();
  }

  function showTools(keys) {
    const config = columns.filter((one) => !one.isMetric);
    const metrics = columns.filter((one) => one.isMetric);
    const named = (all) => all.map(({ key, name: own }) => [key, own]);
    statistic.show(STATISTICS.map((one) => [one, one]), chosen.statistic);
    colouring.show(named([...metrics, ...config]), chosen.colour ?? usual.metric);
    across.show(named([...config, ...metrics]), chosen.x ?? usual.across);
    upwards.show(named([...metrics, ...config]), chosen.y ?? usual.metric);
    const isOpen = picked.open;
    const boxes = (title, all) => all.length > 0 && el("fieldset", {}, el("legend", {}, title), all.map((column) => box(column, keys)));
    replace(picked, picked.querySelector("summary"), el("div", { class: "chooser-box" }, boxes("Hyper-parameters", config), boxes("Metrics", metrics)));
    picked.open = isOpen;
  }

  function box(column, keys) {
    const input = el("input", { type: "checkbox", checked: keys.includes(column.key), onchange: () => pick(column.key) });
    input.dataset.key = column.key;
    return el("label", {}, input, name(column.name), column.nValues < 2 && el("span", { class: "muted" }, "the same in all"));
  }

  function pick(key) {
    const keys = shownColumns().map((column) => column.key);
    const next = keys.includes(key) ? keys.filter((one) => one !== key) : columns.map((one) => one.key).filter((one) => one === key || keys.includes(one));
    change({ keys: next });
    [...picked.querySelectorAll("input")].find((input) => input.dataset.key === key)?.focus();
  }

  function hover(row, event = null) {
    lines.highlight(row);
    points?.highlight(row);
    table.highlight(row);
    tip.hidden = !row || !event;
    if (tip.hidden) return;
    replace(tip, el("div", {}, el("span", { class: "muted" }, String(row.run.run_id)), name(row.run.name)), axes.map(({ column }) => el("div", {}, el("span", {}, name(column.name)), el("b", {}, valueText(column, row)))));
    const host = tip.parentElement;
    const [x, y] = pointIn(host, event);
    tip.style.left = `${Math.max(0, Math.min(host.clientWidth - tip.offsetWidth - 6, x > host.clientWidth / 2 ? x - tip.offsetWidth - 14 : x + 14))}px`;
    tip.style.top = `${Math.max(6, y - tip.offsetHeight / 2)}px`;
  }

  function open(row) {
    store.set({ view: "run", run: refOf(row.run) });
  }

  // A table takes longer than a frame: lines follow the pointer, the table comes after.
  const showInsideSoon = throttled(showInside, TABLE_MS, signal);
  const refresh = throttled(() => loader.again(), REFRESH_MS, signal);
  live.subscribe((events) => {
    if (events.some(({ kind }) => kind === "runs" || kind === "reload")) refresh();
  }, signal);
  onThemeChange(() => drawPoints(), signal);
  const sizes = new ResizeObserver(() => drawPoints());
  sizes.observe(pointsHost);
  signal.addEventListener("abort", () => sizes.disconnect());

  return {
    node,
    update(state, before) {
      loader.load(state.db, (own) => api.hparams({ db: state.db }, own), (found) => {
        answer = found.runs;
        render();
      });
      if (chosen.isOnlyChosen && state.runs !== before?.runs) render();
    },
  };
}

function rampLegend({ column, scale }) {
  const strip = el("span", { class: "ramp-strip", "aria-hidden": "true" });
  strip.style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map(rampColour).join(", ")})`;
  const ends = scale.kind === "categories" ? ["", ""] : scale.text(0, 1).split(" to ");
  return [name(column.name), el("span", {}, ends[0]), strip, el("span", {}, ends[1])];
}

function select(label, onChoose) {
  const field = el("select", { onchange: () => onChoose(field.value) });
  return {
    node: el("label", { class: "labelled" }, el("span", {}, label), field),
    show(options, value) {
      replace(field, options.map(([key, words]) => el("option", { value: key, selected: key === value }, words)));
    },
  };
}
