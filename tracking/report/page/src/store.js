// What the reader looks at, kept in the fragment of the address: a link says all of it.

export const DEFAULTS = { test: "", q: "", verdict: "", sort: "worst", smooth: "0" };

export function parsed(fragment) {
  const said = new URLSearchParams(fragment.replace(/^#/, ""));
  return Object.fromEntries(
    Object.entries(DEFAULTS).map(([key, preset]) => [key, said.get(key) ?? preset]),
  );
}

export function written(state) {
  const said = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  return new URLSearchParams(said).toString();
}

export function createStore() {
  const listeners = [];
  let state = parsed(location.hash);

  function adopt(next) {
    const before = state;
    state = next;
    for (const listener of listeners) listener(state, before);
  }
  // Also what the back button and a link inside the page do.
  window.addEventListener("hashchange", () => {
    const next = parsed(location.hash);
    if (written(next) !== written(state)) adopt(next);
  });
  return {
    get state() {
      return state;
    },
    /** Another test is another page to go back from; all else only changes this one. */
    set(changes) {
      const next = { ...state, ...changes };
      if (written(next) === written(state)) return;
      const address = `#${written(next)}`;
      if (next.test !== state.test) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
      adopt(next);
    },
    subscribe(listener) {
      listeners.push(listener);
    },
  };
}
