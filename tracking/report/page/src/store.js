// What the reader looks at, kept in the fragment of the address: a link says all of it.

/** The state a fragment says: of each key of `defaults` what it has, or else the default. */
export function parsed(fragment, defaults) {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  return Object.fromEntries(
    Object.entries(defaults).map(([key, preset]) => [key, said.get(key) ?? preset]),
  );
}

/** The fragment of a state: what is as by default goes without saying. */
export function written(state, defaults) {
  const said = Object.entries(state).filter(([key, value]) => value !== defaults[key]);
  return new URLSearchParams(said).toString();
}

/**
 * The state of a page, texts by key. A change of one of `pushKeys` is another page to go back
 * from; all else only changes this one.
 */
export function createStore(defaults, pushKeys) {
  const listeners = new Set();
  const read = () => parsed(location.hash, defaults);
  const write = (next) => written(next, defaults);
  let state = read();

  function adopt(next) {
    const before = state;
    state = next;
    for (const listener of [...listeners]) listener(state, before);
  }
  function turn(next, isPage) {
    if (write(next) === write(state)) return;
    const address = `#${write(next)}`;
    if (isPage) history.pushState(null, "", address);
    else history.replaceState(null, "", address);
    adopt(next);
  }
  // Also what the back button and a link inside the page do.
  window.addEventListener("hashchange", () => {
    const next = read();
    if (write(next) !== write(state)) adopt(next);
  });
  return {
    get state() {
      return state;
    },
    /** Where a link leads that makes these changes. */
    address: (changes) => `#${write({ ...state, ...changes })}`,
    set(changes) {
      const next = { ...state, ...changes };
      turn(next, pushKeys.some((key) => next[key] !== state[key]));
    },
    /** The same for what the reader did not ask for: there is nothing to go back to. */
    amend: (changes) => turn({ ...state, ...changes }, false),
    subscribe(listener, signal) {
      listeners.add(listener);
      signal?.addEventListener("abort", () => listeners.delete(listener));
    },
  };
}
