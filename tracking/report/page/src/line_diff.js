// What changed between two texts, line by line. Pure.

const MOST_STEPS = 400;

/**
 * [{ kind, text }] with kind "same", "removed" or "added"; the fewest changes there are (Myers 1986,
 * "An O(ND) difference algorithm and its variations"). Texts with more than `MOST_STEPS` changes
 * are one removed and one added.
 */
export function lineDiff(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const middle = shortest(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...lines("same", a.slice(0, start)), ...middle, ...lines("same", a.slice(a.length - end))];
}

function lines(kind, texts) {
  return texts.map((text) => ({ kind, text }));
}

function shortest(a, b) {
  const trace = [];
  const reached = new Map([[1, 0]]);
  for (let d = 0; d <= a.length + b.length; d += 1) {
    if (d > MOST_STEPS) return [...lines("removed", a), ...lines("added", b)];
    trace.push(new Map(reached));
    for (let k = -d; k <= d; k += 2) {
      const isDown = k === -d || (k !== d && reached.get(k - 1) < reached.get(k + 1));
      let x = isDown ? reached.get(k + 1) : reached.get(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      reached.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkedBack(a, b, trace);
    }
  }
  return [];
}

function walkedBack(a, b, trace) {
  const found = [];
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const reached = trace[d];
    const k = x - y;
    const isDown = k === -d || (k !== d && reached.get(k - 1) < reached.get(k + 1));
    const fromX = reached.get(isDown ? k + 1 : k - 1);
    const fromY = fromX - (isDown ? k + 1 : k - 1);
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      found.push({ kind: "same", text: a[x - 1] });
      [x, y] = [x - 1, y - 1];
    }
    if (d > 0) found.push(isDown ? { kind: "added", text: b[fromY] } : { kind: "removed", text: a[fromX] });
    [x, y] = [fromX, fromY];
  }
  return found.reverse();
}
