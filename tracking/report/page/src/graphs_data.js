// Graphs of two runs: which belongs to which, and what differs between two. Pure.

/** Lists of graphs of runs, side by side: the first of each, the second, …; null where one has fewer. */
export function graphPairs(lists) {
  const most = Math.max(...lists.map((graphs) => graphs.length));
  return Array.from({ length: most }, (_, index) => lists.map((graphs) => graphs[index] ?? null));
}

/**
 * Two graphs with what differs marked on them: `nodes` is { a, b }, of either the ids of nodes that
 * the other has otherwise (`changed`) or not at all (`lacking`). Null where nothing is known.
 */
export function withMarks([before, after], nodes) {
  if (!nodes || !before || !after) return [before, after];
  return [
    { ...before, compared_with: "the other run", changed: [...nodes.a.changed, ...nodes.a.lacking] },
    { ...after, compared_with: "the other run", changed: nodes.b.changed, added: nodes.b.lacking },
  ];
}
