// Boxes of a computation graph gathered by namespace, and what is seen of them. Pure.
//
// A group is { key, path, name, children: boxes and groups, parent, first: the place of the first box
// in it, nOperations, nMarked, isRun }.

/** A drawing of more is neither read nor laid out while one waits. */
export const MOST_BOXES = 400;
/** A graph of so many boxes needs no closed groups. */
const FEW_BOXES = 40;
/** More in one group are gathered in runs. */
const MOST_TOGETHER = 100;
const MOST_RUNS = 40;
const DEEPEST = 24;

/**
 * Returns { root, hasRuns }; sets of each box its `parent`, `within`, the namespace below that, and
 * `first`, its place in the order of all.
 */
export function groupsOf(boxes) {
  const root = newGroup([]);
  for (const [index, box] of inOrder(boxes).entries()) {
    box.first = index;
    groupAt(root, pathOf(box)).children.push(box);
  }
  simplify(root);
  let nGroups = 0;
  let hasRuns = false;
  finish(root);
  return { root, hasRuns };

  function finish(group) {
    for (const child of group.children) if (child.children) finish(child);
    group.children.sort((a, b) => a.first - b.first);
    group.children = inRuns(group, 0);
    seal(group);
  }

  function inRuns({ path, children }, start) {
    if (children.length <= MOST_TOGETHER) return children;
    hasRuns = true;
    const size = Math.max(MOST_RUNS, Math.ceil(children.length / MOST_RUNS));
    return Array.from({ length: Math.ceil(children.length / size) }, (_, index) => {
      const own = children.slice(index * size, (index + 1) * size);
      const from = start + index * size;
      const run = { ...newGroup(path), isRun: true, name: `nodes ${from + 1}–${from + own.length}` };
      run.children = inRuns({ path, children: own }, from);
      return seal(run);
    });
  }

  function seal(group) {
    group.key = `g${nGroups++}`;
    group.first = group.children[0]?.first ?? 0;
    group.nOperations = sum(group.children, (child) => child.nOperations ?? (child.kind === "operation" ? 1 : 0));
    group.nMarked = sum(group.children, (child) => child.nMarked ?? (child.mark ? 1 : 0));
    for (const child of group.children) child.parent = group;
    return group;
  }
}

function newGroup(path) {
  return { path, name: "", children: [], groups: new Map(), isRun: false };
}

function sum(items, valueOf) {
  return items.reduce((total, item) => total + valueOf(item), 0);
}

/** Boxes after those they take from, each near its first user. */
function inOrder(boxes) {
  const done = new Set();
  const started = new Set();
  for (const end of [...boxes.filter((box) => !box.users.length), ...boxes]) {
    const waiting = [end];
    while (waiting.length) {
      const box = waiting.at(-1);
      if (started.has(box)) {
        done.add(waiting.pop());
        continue;
      }
      started.add(box);
      for (const { source } of box.inputs.toReversed()) if (!source.foldedIn && !started.has(source)) waiting.push(source);
    }
  }
  return [...done];
}

function pathOf({ namespace }) {
  const parts = namespace.split("/").filter(Boolean);
  return parts.length > DEEPEST ? [...parts.slice(0, DEEPEST - 1), parts.slice(DEEPEST - 1).join("/")] : parts;
}

function groupAt(root, path) {
  let group = root;
  for (const [index, part] of path.entries()) {
    if (!group.groups.has(part)) {
      const inner = newGroup(path.slice(0, index + 1));
      group.groups.set(part, inner);
      group.children.push(inner);
    }
    group = group.groups.get(part);
  }
  return group;
}

/** A group of one box is that box; one that holds only another group is that group. */
function simplify(group) {
  group.children = group.children.map((child) => {
    if (!child.children) return child;
    simplify(child);
    return child.children.length === 1 ? child.children[0] : child;
  });
  for (const child of group.children) {
    const path = child.children ? child.path : pathOf(child);
    const within = path.slice(group.path.length).join("/");
    if (child.children) child.name = nameOf(within, group.path);
    else child.within = within;
  }
  delete group.groups;
}

/** A number alone says little: `layers/0`. */
function nameOf(within, above) {
  return /^\d/.test(within) && above.length ? `${above.at(-1)}/${within}` : within;
}

/** All that is drawn as one: boxes, and groups that are closed. */
export function itemsSeen(group, open) {
  return group.children.flatMap((child) => (open.has(child) ? itemsSeen(child, open) : [child]));
}

/** The edges between items seen, those between the same two as one: { source, target, links }. */
export function edgesSeen({ boxes, root }, open) {
  const itemOf = new Map();
  for (const item of itemsSeen(root, open)) for (const box of boxesIn(item)) itemOf.set(box, item);
  const edges = new Map();
  for (const link of boxes.flatMap((box) => box.inputs)) {
    const [source, target] = [itemOf.get(link.source), itemOf.get(link.target)];
    if (!source || source === target) continue;
    const key = `${source.key} ${target.key}`;
    if (!edges.has(key)) edges.set(key, { source, target, links: [] });
    edges.get(key).links.push(link);
  }
  return [...edges.values()];
}

export function boxesIn(item) {
  return item.children ? item.children.flatMap(boxesIn) : [item];
}

/** The groups an item lies in, the innermost first, without that of all. */
export function groupsAround(item) {
  const found = [];
  for (let group = item.parent; group?.parent; group = group.parent) found.push(group);
  return found;
}

/** The groups that are open at first: all of a small graph, else the way down to a choice. */
export function openAtFirst({ boxes, root }) {
  if (boxes.length <= FEW_BOXES) return expanded(root, new Set());
  const marked = boxes.filter((box) => box.mark).flatMap((box) => groupsAround(box).reverse());
  let open = new Set();
  for (let group = root; group; ) {
    const inner = group.children.filter((child) => child.children);
    group = inner.length === 1 && itemsSeen(root, new Set([...open, ...inner])).length <= FEW_BOXES ? inner[0] : null;
    if (group) open.add(group);
  }
  for (const group of new Set(marked)) open = withGroup(root, open, group) ?? open;
  return open;
}

/** All groups open, the outer ones first, as far as the limit allows. */
export function expanded(root, open) {
  const all = new Set(open);
  let nItems = itemsSeen(root, all).length;
  let level = [root];
  while (level.length) {
    level = level.flatMap((group) => group.children.filter((child) => child.children));
    for (const group of level) {
      const isSeen = groupsAround(group).every((outer) => all.has(outer));
      const nMore = itemsSeen(group, all).length - 1;
      if (all.has(group) || !isSeen || nItems + nMore > MOST_BOXES) continue;
      all.add(group);
      nItems += nMore;
    }
  }
  return all;
}

/** `open` with a group and those around it, or null where that is more than can be drawn. */
function withGroup(root, open, group) {
  const more = new Set([...open, group, ...groupsAround(group)]);
  return itemsSeen(root, more).length <= MOST_BOXES ? more : null;
}

/** The same; where it is too much, with all others closed. Null where that is too much as well. */
export function opened(root, open, group) {
  return withGroup(root, open, group) ?? withGroup(root, new Set(), group);
}

export function closed(open, group) {
  const left = new Set(open);
  left.delete(group);
  return left;
}
