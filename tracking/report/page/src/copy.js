// A command, and a button that copies it.

import { el, icon } from "./dom.js";

export function command(text) {
  const said = el("span", { role: "status" }, "Copy");
  const button = el("button", { type: "button", class: "button", onclick: copyIt }, icon("copy"), said);
  button.setAttribute("aria-label", `Copy: ${text}`);
  async function copyIt() {
    const isCopied = await copied(text);
    button.removeAttribute("aria-label");
    said.textContent = isCopied ? "Copied" : "Select it and copy";
    setTimeout(() => {
      said.textContent = "Copy";
      button.setAttribute("aria-label", `Copy: ${text}`);
    }, 2000);
  }
  return el(
    "div",
    { class: "command" },
    el("code", { tabindex: "0", dir: "ltr", role: "group", "aria-label": "Command" }, text),
    button,
  );
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Opened from disk a page may have no clipboard; what is selected can be copied all the same.
    return copiedFromField(text);
  }
}

function copiedFromField(text) {
  const focused = document.activeElement;
  const field = el("textarea", { class: "off-screen", "aria-hidden": "true" });
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return isCopied;
}
