// Work put off until the reader comes near it.

const waiting = new Map();
const observer = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => run(target)),
  { rootMargin: "300px" },
);

// Paper shows everything.
window.addEventListener("beforeprint", () => [...waiting.keys()].forEach(run));

export function whenNear(node, work, signal) {
  waiting.set(node, work);
  observer.observe(node);
  signal.addEventListener("abort", () => forget(node));
}

/** Tell `listener(isNear)` whenever the reader comes near a node or leaves it. */
export function watchNear(node, listener, signal) {
  const own = new IntersectionObserver((entries) => listener(entries.at(-1).isIntersecting), { rootMargin: "300px" });
  own.observe(node);
  signal.addEventListener("abort", () => own.disconnect());
}

/** Fill a `<details>` when it is first opened. */
export function disclosure(details, content) {
  details.addEventListener("toggle", () => details.append(content()), { once: true });
  return details;
}

function run(node) {
  const work = waiting.get(node);
  forget(node);
  work?.();
}

function forget(node) {
  observer.unobserve(node);
  waiting.delete(node);
}
