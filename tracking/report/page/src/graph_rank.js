// In which row each node of a drawing stands. Pure.

/**
 * Rows for `nodes` (keys) and `edges` ({ from, to }) such that edges lead down; those that would lead
 * up close a cycle and do not count. Nodes of `first` stand in row 0, those of `last` below all.
 *
 * Each node stands as far up as its inputs let it; one with no fewer users than inputs goes down to
 * the first user, so that constants stand beside what takes them.
 *
 * Returns { rows: row by key, back: the edges that lead up }.
 */
export function ranked(nodes, edges, { first = new Set(), last = new Set() } = {}) {
  const out = Map.groupBy(edges, ({ from }) => from);
  const { order, back } = ordered([...first, ...nodes], out);
  const down = edges.filter((edge) => !back.has(edge));
  const below = Map.groupBy(down, ({ from }) => from);
  const above = Map.groupBy(down, ({ to }) => to);
  const rows = new Map();
  for (const node of order) {
    rows.set(node, Math.max(0, ...(above.get(node) ?? []).map(({ from }) => rows.get(from) + 1)));
  }
  for (const node of order.toReversed()) {
    const users = below.get(node) ?? [];
    if (first.has(node) || !users.length || users.length < (above.get(node)?.length ?? 0)) continue;
    rows.set(node, Math.min(...users.map(({ to }) => rows.get(to) - 1)));
  }
  const bottom = Math.max(0, ...rows.values());
  const isLastAlone = [...rows].every(([node, row]) => row < bottom || last.has(node));
  for (const node of last) rows.set(node, isLastAlone ? bottom : bottom + 1);
  return { rows, back };
}

/** Nodes such that those an edge comes from stand first, and the edges for which that cannot be. */
function ordered(nodes, out) {
  const isDone = new Map();
  const finished = [];
  const back = new Set();
  for (const start of nodes) {
    const path = isDone.has(start) ? [] : [{ node: start, next: 0 }];
    if (path.length) isDone.set(start, false);
    while (path.length) {
      const here = path.at(-1);
      const edge = (out.get(here.node) ?? [])[here.next++];
      if (!edge) {
        isDone.set(here.node, true);
        finished.push(path.pop().node);
      } else if (!isDone.has(edge.to)) {
        isDone.set(edge.to, false);
        path.push({ node: edge.to, next: 0 });
      } else if (!isDone.get(edge.to)) {
        back.add(edge);
      }
    }
  }
  return { order: finished.reverse(), back };
}
