// Graphs of two runs: which belongs to which, and what differs between two. Pure.

/**
 * Lists of graphs of runs, side by side: [{ name, sides }]. Those of one name belong together, in
 * the order they were saved; a side that has none is null.
 */
export function graphPairs(lists) {
  const keyed = lists.map((graphs) => {
    const seen = new Map();
    return new Map(graphs.map((graph) => {
      const own = graph.name ?? "";
      seen.set(own, (seen.get(own) ?? 0) + 1);
      return [`${own} ${seen.get(own)}`.trim(), graph];
    }));
  });
  const names = [...new Set(keyed.flatMap((graphs) => [...graphs.keys()]))];
  return names.map((name) => ({ name, sides: keyed.map((graphs) => graphs.get(name) ?? null) }));
}

/**
 * Two graphs with what differs marked on them: `marks` is { a, b, removed }, on either side the ids
 * of its nodes that the other has otherwise (`changed`) or not at all (`only`), and a line for each
 * that is gone. Null where nothing is known.
 */
export function withMarks([before, after], marks) {
  if (!marks || !before || !after) return [before, after];
  return [
    { ...before, changed: [...marks.a.changed, ...marks.a.only] },
    { ...after, changed: marks.b.changed, added: marks.b.only, removed: marks.removed },
  ];
}
