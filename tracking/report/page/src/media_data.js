// What runs saved beside their metrics, from the server's answers to what is drawn. Pure.

/** An answer has lists by name; every histogram as the report has it. */
export function histogramsOf({ histograms }) {
  return named(histograms, ({ step, bucket_edges: edges, bucket_counts: counts, n_non_finite: n }) => ({
    step,
    edges,
    counts,
    n_non_finite: n ?? 0,
  }));
}

export function imagesOf({ images }) {
  return named(images, ({ step, width, height, channels, data_b64: pixels }) => ({ step, width, height, channels, pixels }));
}

export function textsOf({ texts }) {
  return named(texts, ({ step, content }) => ({ step, content }));
}

function named(lists, one) {
  return Object.entries(lists).flatMap(([name, items]) => items.map((item) => ({ name, ...one(item) })));
}

/** Items of several runs, [{ run, items }], by their names: [[name, [{ run, items }]]], sorted. */
export function byName(sides) {
  const names = [...new Set(sides.flatMap(({ items }) => items.map((item) => item.name)))].sort();
  return names.map((name) => [
    name,
    sides
      .map(({ run, items }) => ({ run, items: items.filter((item) => item.name === name) }))
      .filter(({ items }) => items.length),
  ]);
}

/** All steps that any of several runs has, ascending. */
export function stepsOf(sides) {
  return [...new Set(sides.flatMap(({ items }) => items.map((item) => item.step)))].sort((a, b) => a - b);
}

/** The last item at a step or before it, and the one of the step before that; null where none is. */
export function itemAt(items, step) {
  const until = items.filter((item) => item.step <= step);
  const current = until.at(-1) ?? null;
  return { current, previous: until.findLast((item) => item.step < current.step) ?? null };
}

/** RGBA bytes of an image of 1 to 4 channels (grey, grey and alpha, RGB, RGBA); null of what is none. */
export function rgba({ width, height, channels }, bytes) {
  const n = width * height;
  if (![1, 2, 3, 4].includes(channels) || bytes.length !== n * channels || !n) return null;
  const found = new Uint8ClampedArray(4 * n);
  const isGrey = channels < 3;
  const alpha = channels % 2 ? null : channels - 1;
  for (let at = 0; at < n; at += 1) {
    const from = at * channels;
    for (let channel = 0; channel < 3; channel += 1) found[4 * at + channel] = bytes[from + (isGrey ? 0 : channel)];
    found[4 * at + 3] = alpha === null ? 255 : bytes[from + alpha];
  }
  return found;
}
