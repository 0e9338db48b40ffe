// Graphs of two runs: which belongs to which, and what differs between two. Pure.

/**
 * Graphs of runs, lists of { name, graph }, side by side: [{ name, number, sides }]. Those of one name
 * belong together, the first of each run, the second, …; null where a run has none.
 */
export function graphPairs(lists) {
  const found = new Map();
  lists.forEach((graphs, side) => {
    const seen = new Map();
    for (const { name, graph } of graphs) {
      const number = (seen.get(name) ?? 0) + 1;
      seen.set(name, number);
      const key = `${number} ${name}`;
      if (!found.has(key)) found.set(key, { name, number, sides: lists.map(() => null) });
      found.get(key).sides[side] = { name, ...graph };
    }
  });
  return [...found.values()];
}

/**
 * The two sides of a pair with what differs marked on them, as `marks` of the server says it of the
 * graph of that name and number; as they are where it says nothing.
 */
export function withMarks({ name, number, sides }, marks) {
  const own = marks.find((one) => one.name === name && one.number === number);
  if (!own) return sides;
  return sides.map((graph, side) => ({ ...graph, compared_with: "the other run", ...[own.a, own.b][side] }));
}
