// Where an arrow key leads among boxes. Pure.

const DIRECTIONS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
/** How much farther something aside is than something straight ahead. */
const ASIDE = 2;

/** The item of `items` nearest to `from` in the direction of a key; `placeOf(item)` is its rectangle. */
export function nearest(items, from, key, placeOf) {
  if (!Object.hasOwn(DIRECTIONS, key)) return null;
  const [right, down] = DIRECTIONS[key];
  const start = middle(placeOf(from));
  let best = null;
  let least = Infinity;
  for (const item of items) {
    const { x, y } = middle(placeOf(item));
    const [dx, dy] = [x - start.x, y - start.y];
    const ahead = dx * right + dy * down;
    const aside = Math.abs(dx * down + dy * right);
    const distance = ahead + ASIDE * aside;
    // The next row may be far aside; what is mostly above or below is not at the left or right.
    if (item === from || ahead < 1 || (right && aside > ahead) || distance >= least) continue;
    [best, least] = [item, distance];
  }
  return best;
}

/** Of the frame of an open group its title counts. */
function middle({ x, y, width, height, group }) {
  return { x: x + width / 2, y: y + (group ? 13 : height / 2) };
}
