// A computation graph to look into: groups open and close, boxes show what they are.

import { el, replace, svg } from "./dom.js";
import { count, counted } from "./format.js";
import { detailsOf } from "./graph_details.js";
import { closed, expanded, groupsAround, itemsSeen, MOST_BOXES, openAtFirst, opened } from "./graph_groups.js";
import { nearest } from "./graph_keys.js";
import { laidOut } from "./graph_layout.js";
import { pannable } from "./graph_pan.js";
import { pictureOf } from "./graph_picture.js";
import { searchField } from "./graph_search.js";
import { operations } from "./graph_words.js";

const HEIGHT = { least: 120, most: 640, share: 0.7 };
const CLOSED_OTHERS = `Other groups were closed: at most ${MOST_BOXES} boxes are drawn.`;
const TOO_MANY = `It stays closed: at most ${MOST_BOXES} boxes are drawn.`;

/** `model` as modelOf() makes it, `label` what it is called; `signal` ends what the view has started. */
export function graphExplorer(model, { label, signal }) {
  let open = openAtFirst(model);
  let laid, picture;
  let selected = null;
  let active = null;
  let matches = new Set();
  let isSearching = false;

  const canvas = svg("svg", { role: "group", "aria-label": label });
  const host = el("div", { class: "graph", onclick: click, onkeydown: press, onfocusin: focus }, canvas);
  const side = el("div", { class: "graph-side", onkeydown: leaveSide });
  const status = el("p", { class: "graph-status muted", role: "status" });
  const hidden = el("p", { class: "graph-hidden muted" });
  const pan = pannable(host, { world: () => picture.node, size: () => laid, first: firstSeen, signal });
  const search = searchField(model.boxes, { show: mark, go: (box) => select(box) });
  const root = el("div", { class: "graph-explorer" }, toolbar(), el("div", { class: "graph-main" }, host, side), status, hidden);
  draw();
  return root;

  function toolbar() {
    const button = (words, text, onclick) => el("button", { type: "button", class: "button", title: words, "aria-label": words, onclick }, text);
    const hasGroups = itemsSeen(model.root, new Set()).some((item) => item.children);
    return el("div", { class: "graph-tools" }, [
      search,
      hasGroups && el("div", { class: "graph-buttons" }, [
        el("button", { type: "button", class: "button", onclick: expandAll }, "Expand all"),
        el("button", { type: "button", class: "button", onclick: () => restart(new Set()) }, "Collapse all"),
      ]),
      el("div", { class: "graph-buttons" }, [
        button("Zoom out", "−", () => pan.zoom(0.8)),
        button("Zoom in", "+", () => pan.zoom(1.25)),
        button("Fit the whole graph in the window", "Fit", pan.fit),
      ]),
    ]);
  }

  function draw() {
    laid = laidOut(model, open);
    picture = pictureOf(laid);
    replace(canvas, picture.node);
    const height = Math.min(HEIGHT.most, HEIGHT.share * window.innerHeight, laid.height);
    host.style.height = `${Math.round(Math.max(HEIGHT.least, height))}px`;
    hidden.textContent = laid.nHidden ? `${counted(laid.nHidden, "edge")} more would hide the rest and are not drawn; a selected node lists its own.` : "";
    activate(picture.elementOf.has(active) ? active : laid.boxes[0]?.item);
    showSelected();
    showMatches();
  }

  function firstSeen() {
    return laid.boxes.find(({ item }) => item.mark || item.nMarked) ?? laid.boxes.reduce((top, box) => (box.y < top.y ? box : top));
  }

  function redraw(next, said = "") {
    open = next;
    draw();
    pan.show();
    status.textContent = said;
  }

  function restart(next, said) {
    redraw(next, said);
    pan.start();
  }

  function expandAll() {
    const next = expanded(model.root, open);
    const isWhole = itemsSeen(model.root, next).every((item) => !item.children);
    restart(next, isWhole ? "" : `As far as ${MOST_BOXES} boxes allow.`);
  }

  /** Open a closed group, close an open one; it stays where it is on the screen. */
  function toggle(group) {
    const before = placeOf(group);
    const isFocused = host.contains(document.activeElement);
    const next = open.has(group) ? closed(open, group) : opened(model.root, open, group);
    if (!next) {
      status.textContent = TOO_MANY;
      return;
    }
    active = group;
    redraw(next, open.size > next.size && !open.has(group) ? CLOSED_OTHERS : "");
    pan.keep(before, placeOf(group));
    if (isFocused) picture.elementOf.get(group).focus({ preventScroll: true });
  }

  function placeOf(item) {
    return laid.boxes.find((box) => box.item === item) ?? laid.frames.find((frame) => frame.group === item);
  }

  /** Select a box, opening the groups it lies in. */
  function select(box, isFocused = false) {
    selected = box;
    const [inner] = groupsAround(box);
    const next = !inner || groupsAround(box).every((group) => open.has(group)) ? open : opened(model.root, open, inner);
    if (next && next !== open) redraw(next, [...open].every((group) => next.has(group)) ? "" : CLOSED_OTHERS);
    if (!next) status.textContent = TOO_MANY;
    if (picture.elementOf.has(box)) activate(box);
    showSelected();
    const place = placeOf(box);
    if (place) pan.reveal(place);
    if (isFocused) picture.elementOf.get(box)?.focus({ preventScroll: true });
  }

  function showSelected() {
    for (const [item, element] of picture.elementOf) {
      element.classList.toggle("is-selected", item === selected);
      if (!item.children) element.setAttribute("aria-pressed", String(item === selected));
    }
    for (const [{ edges }, element] of picture.lineOf) {
      const isOwn = edges.some(({ links }) => links.some(({ source, target }) => source === selected || target === selected));
      element.classList.toggle("is-own", isOwn);
    }
    replace(side, selected && detailsOf(selected, { go: (box) => select(box, true), close: deselect }));
  }

  function deselect() {
    const isInside = side.contains(document.activeElement);
    selected = null;
    showSelected();
    if (isInside) picture.elementOf.get(active)?.focus({ preventScroll: true });
  }

  function mark(found, isAsked) {
    matches = new Set(found);
    isSearching = isAsked;
    showMatches();
  }

  function showMatches() {
    const within = new Map();
    for (const box of matches) for (const item of [box, ...groupsAround(box)]) within.set(item, (within.get(item) ?? 0) + 1);
    canvas.classList.toggle("is-searching", isSearching);
    for (const [item, element] of picture.elementOf) {
      element.classList.toggle("is-match", within.has(item));
      if (picture.countOf.has(item)) picture.countOf.get(item).textContent = within.has(item) ? `${count(within.get(item))} found` : operations(item);
    }
  }

  function itemAt(target) {
    const element = target.closest(".item");
    for (const [item, own] of picture.elementOf) if (own === element) return item;
    return null;
  }

  function click({ target }) {
    const item = itemAt(target);
    if (item) act(item);
  }

  function act(item) {
    activate(item);
    if (item.children) toggle(item);
    else if (item === selected) deselect();
    else select(item, true);
  }

  /** Of all boxes one takes part in the order of tabs; arrows lead to the others. */
  function activate(item) {
    picture.elementOf.get(active)?.setAttribute("tabindex", "-1");
    active = item;
    picture.elementOf.get(item)?.setAttribute("tabindex", "0");
  }

  function focus({ target }) {
    const item = itemAt(target);
    if (!item) return;
    activate(item);
    const { group, ...place } = placeOf(item);
    pan.reveal(group ? { ...place, height: 26 } : place);
  }

  function leaveSide(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    deselect();
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const item = itemAt(event.target);
    const actions = {
      "Enter": () => act(item),
      " ": () => act(item),
      "+": () => pan.zoom(1.25),
      "-": () => pan.zoom(0.8),
      "0": pan.fit,
    };
    if (selected) actions.Escape = deselect;
    const goal = item && nearest([...picture.elementOf.keys()], item, event.key, placeOf);
    const action = goal ? () => picture.elementOf.get(goal).focus({ preventScroll: true }) : actions[event.key];
    if (!action || !item) return;
    // The page around has keys of its own.
    event.preventDefault();
    event.stopPropagation();
    action();
  }
}
