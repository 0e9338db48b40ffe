// What the server says of its own accord, over one connection for the whole page.

const AGAIN_MS = 2_000;
const KINDS = ["records", "runs", "databases", "problem", "reload"];

/**
 * `open(address)` is an EventSource. Events are objects with a `kind`; those of a frame come to
 * a subscriber as one list, so that it draws once. `state` is "connecting", "live" or "lost"; a
 * connection that comes back says { kind: "reload" }: what happened meanwhile was not heard.
 */
export function createLive(open) {
  const listeners = new Set();
  const watchers = new Set();
  let source = null;
  let address = null;
  let state = "connecting";
  let heard = [];
  let timer = null;

  function turn(next) {
    if (state === next) return;
    const wasLost = state === "lost";
    state = next;
    for (const watcher of [...watchers]) watcher(state);
    if (wasLost && next === "live") hear({ kind: "reload" });
  }
  function hear(event) {
    heard.push(event);
    // A page in the background has no frames.
    if (heard.length === 1) (document.hidden ? setTimeout : requestAnimationFrame)(tell);
  }
  function tell() {
    const events = heard;
    heard = [];
    for (const listener of [...listeners]) listener(events);
  }
  function connect() {
    clearTimeout(timer);
    source?.close();
    const own = open(address);
    source = own;
    own.onopen = () => turn("live");
    for (const kind of KINDS) {
      own.addEventListener(kind, ({ data }) => hear({ kind, ...JSON.parse(data) }));
    }
    own.onerror = () => {
      turn("lost");
      // A browser tries again by itself unless the server answered something else.
      if (own.readyState === 2) timer = setTimeout(connect, AGAIN_MS);
    };
  }
  return {
    get state() {
      return state;
    },
    /** Listen to an experiment from now on. */
    follow(db) {
      const next = `/api/live?${new URLSearchParams({ db })}`;
      if (next === address) return;
      address = next;
      heard = [];
      connect();
    },
    subscribe(listener, signal) {
      listeners.add(listener);
      signal?.addEventListener("abort", () => listeners.delete(listener));
    },
    watch(watcher, signal) {
      watchers.add(watcher);
      signal?.addEventListener("abort", () => watchers.delete(watcher));
    },
  };
}
