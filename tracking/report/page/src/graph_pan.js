// Moving a drawing in its window: drag, pinch, wheel with ctrl. What the wheel alone does stays the page's.

const SMALLEST = 0.03;
const LARGEST = 3;
const READABLE = 0.55;
const CLICK = 4;
const EDGE = 16;

/**
 * `host` shows a part of what `world()`, an SVG group, holds; `size()` is the size of all, `first()` a
 * rectangle to be seen at first.
 */
export function pannable(host, { world, size, first, signal }) {
  let view = { x: 0, y: 0, scale: 1 };
  let isMoved = false;
  const pointers = new Map();
  let pressedAt = null;
  let isDragged = false;

  host.addEventListener("wheel", wheel, { passive: false });
  host.addEventListener("pointerdown", press);
  host.addEventListener("pointermove", drag);
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) host.addEventListener(end, release);
  // A drag that ends on a box is no click on it.
  host.addEventListener("click", (event) => isDragged && event.stopPropagation(), { capture: true });
  const sizes = new ResizeObserver(() => isMoved || start());
  sizes.observe(host);
  signal.addEventListener("abort", () => sizes.disconnect());

  return { start, fit, zoom: (by) => zoomAt(by, middle()), reveal, keep, show };

  function show(isSmooth = false) {
    world().classList.toggle("is-smooth", isSmooth);
    world().style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  }

  function set(next, isSmooth = false) {
    isMoved = true;
    view = next;
    show(isSmooth);
  }

  /** As it is first seen: as wide as the window, but large enough to be read. */
  function start() {
    const { width, height } = size();
    const place = first();
    const scale = Math.min(1, Math.max(READABLE, host.clientWidth / width));
    const within = (offset, room, length) => (length <= room ? (room - length) / 2 : Math.max(room - length, Math.min(0, offset)));
    const x = within(host.clientWidth / 2 - (place.x + place.width / 2) * scale, host.clientWidth, width * scale);
    const y = within(host.clientHeight / 2 - (place.y + place.height / 2) * scale, host.clientHeight, height * scale);
    view = { scale, x, y };
    show();
  }

  function fit() {
    const { width, height } = size();
    const scale = Math.min(1, Math.max(SMALLEST, Math.min(host.clientWidth / width, host.clientHeight / height)));
    set({ scale, x: (host.clientWidth - width * scale) / 2, y: (host.clientHeight - height * scale) / 2 }, true);
  }

  function middle() {
    return { x: host.clientWidth / 2, y: host.clientHeight / 2 };
  }

  function zoomAt(by, { x, y }) {
    const scale = Math.min(LARGEST, Math.max(SMALLEST, view.scale * by));
    const change = scale / view.scale;
    set({ scale, x: x - (x - view.x) * change, y: y - (y - view.y) * change });
  }

  /** Move so far that a rectangle is seen, or to its middle where it is far off. */
  function reveal({ x, y, width, height }) {
    const moves = [[view.x, x, width, host.clientWidth], [view.y, y, height, host.clientHeight]].map(([offset, from, length, room]) => {
      const [near, far] = [offset + from * view.scale, offset + (from + length) * view.scale];
      if (near >= EDGE && far <= room - EDGE) return 0;
      return far < -room / 2 || near > 1.5 * room || far - near > room ? room / 2 - (near + far) / 2 : near < EDGE ? EDGE - near : room - EDGE - far;
    });
    if (moves.some(Boolean)) set({ ...view, x: view.x + moves[0], y: view.y + moves[1] }, true);
  }

  /** Its upper side stays where it is on the screen; what is too wide is made to fit and centred. */
  function keep(before, after) {
    const top = view.y + before.y * view.scale;
    const middle = view.x + (before.x + before.width / 2) * view.scale;
    const room = host.clientWidth - 2 * EDGE;
    const isTooWide = after.width * view.scale > room;
    const scale = isTooWide ? Math.min(view.scale, Math.max(READABLE, room / after.width)) : view.scale;
    const half = (after.width / 2) * scale;
    const centre = isTooWide ? host.clientWidth / 2 : Math.min(Math.max(middle, half + EDGE), host.clientWidth - half - EDGE);
    const isTall = size().height * scale > host.clientHeight;
    set({ scale, x: centre - (after.x + after.width / 2) * scale, y: Math.min(top - after.y * scale, isTall ? 0 : Infinity) });
  }

  function wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomAt(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.004)), inHost(event));
  }

  function inHost({ clientX, clientY }) {
    const { left, top } = host.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  function press(event) {
    if (event.button !== 0) return;
    if (!pointers.size) [pressedAt, isDragged] = [inHost(event), false];
    pointers.set(event.pointerId, inHost(event));
  }

  function drag(event) {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = inHost(event);
    if (!isDragged && Math.hypot(now.x - pressedAt.x, now.y - pressedAt.y) < CLICK) return;
    if (!isDragged) host.setPointerCapture(event.pointerId);
    isDragged = true;
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    pointers.set(event.pointerId, now);
    if (other) pinch(before, now, other);
    else set({ ...view, x: view.x + now.x - before.x, y: view.y + now.y - before.y });
  }

  function pinch(before, now, other) {
    const distance = (at) => Math.hypot(at.x - other.x, at.y - other.y) || 1;
    zoomAt(distance(now) / distance(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    set({ ...view, x: view.x + (now.x - before.x) / 2, y: view.y + (now.y - before.y) / 2 });
  }

  function release(event) {
    pointers.delete(event.pointerId);
  }
}
