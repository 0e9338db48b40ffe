// What a view asks the server for: one answer at a time, the newest.

import { isAborted } from "./api.js";

/**
 * `load(key, work, show)` asks by `work(signal)` unless `key` was asked last, and shows what comes
 * back; a newer question aborts the older. `again()` asks once more; `forget()` drops the answer.
 * What fails is told to `trouble` under `name`.
 */
export function createLoader({ name, trouble, signal }) {
  let asked = null;
  let ending = new AbortController();
  signal.addEventListener("abort", () => {
    ending.abort();
    trouble.clear(name);
  });

  async function ask() {
    ending.abort();
    ending = new AbortController();
    const { key, work, show } = asked;
    try {
      const answer = await work(ending.signal);
      if (asked?.key !== key) return;
      trouble.clear(name);
      show(answer);
    } catch (error) {
      if (error?.status === undefined) {
        if (!isAborted(error)) throw error;
      } else trouble.show(name, error.message, ask);
    }
  }
  return {
    load(key, work, show) {
      if (asked?.key === key) return;
      asked = { key, work, show };
      ask();
    },
    again() {
      if (asked) ask();
    },
    forget() {
      asked = null;
      ending.abort();
      trouble.clear(name);
    },
  };
}

/** Calls `work` soon after it is asked to, however often that is: at most once in `pause_ms`. */
export function throttled(work, pause_ms, signal) {
  let timer = null;
  let last = -Infinity;
  signal.addEventListener("abort", () => clearTimeout(timer));
  return () => {
    if (timer !== null || signal.aborted) return;
    timer = setTimeout(
      () => {
        timer = null;
        last = performance.now();
        work();
      },
      Math.max(0, last + pause_ms - performance.now()),
    );
  };
}
