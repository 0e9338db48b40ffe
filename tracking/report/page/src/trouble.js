// What went wrong, said once, with a way to try again.

import { el, icon, replace } from "./dom.js";

/** A bar: `show(key, message, retry)` says something until `clear(key)` or the next try. */
export function troubleBar() {
  const said = new Map();
  const node = el("div", { class: "troubles", role: "alert" });

  function render() {
    const messages = new Map([...said].map(([key, one]) => [one.message, key]));
    replace(node, [...messages].map(([message, key]) => line(message, key)));
  }
  // Of several that say the same, one button tries all of them.
  function retry(message) {
    const same = [...said].filter(([, one]) => one.message === message);
    for (const [key] of same) said.delete(key);
    render();
    for (const [, one] of same) one.retry?.();
  }
  function line(message, key) {
    return el(
      "p",
      { class: "trouble tone-fail" },
      icon("fail"),
      el("span", {}, message),
      el("button", { type: "button", class: "button", onclick: () => retry(message) }, said.get(key).retry ? "Try again" : "Dismiss"),
    );
  }
  return {
    node,
    show(key, message, again = null) {
      said.set(key, { message, retry: again });
      render();
    },
    clear(key) {
      if (said.delete(key)) render();
    },
  };
}
