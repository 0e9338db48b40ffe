// Rows that stay the same elements while what they show changes: focus and place survive.

/**
 * Returns `show(items)`, which has `host` hold one row an item, in their order. `make(item)`
 * returns { node, update(item) }; rows are told apart by `keyOf(item)`.
 */
export function keyed(host, keyOf, make) {
  let rows = new Map();
  return (items) => {
    const next = new Map();
    for (const item of items) {
      const key = keyOf(item);
      const row = rows.get(key) ?? make(item);
      row.update?.(item);
      next.set(key, row);
    }
    rows = next;
    const nodes = [...rows.values()].map((row) => row.node);
    const isSame = nodes.length === host.childNodes.length && nodes.every((node, index) => host.childNodes[index] === node);
    if (isSame) return;
    const focused = host.contains(document.activeElement) ? document.activeElement : null;
    host.replaceChildren(...nodes);
    if (focused?.isConnected) focused.focus({ preventScroll: true });
  };
}
