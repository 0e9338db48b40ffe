// Makes elements. Text only ever becomes text: nothing in this page reads HTML from data.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `on…` names listeners; null and false attributes and children are left out. */
export function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export function replace(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter(isThere));
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (!isThere(value)) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter(isThere));
  return node;
}

function isThere(value) {
  return value !== null && value !== undefined && value !== false;
}

const ICONS = {
  fail: "M4 4l8 8M12 4l-8 8",
  warn: "M8 2.5L14.5 13.5h-13zM8 6.5v3.2M8 11.4v.4",
  show: "M8 12.5v-9M4.2 7L8 3.2 11.8 7",
  pass: "M3 8.5l3.5 3.5L13 4.5",
  none: "M4 8h8",
  search: "M7 12A5 5 0 107 2a5 5 0 000 10zM10.8 10.8L14 14",
  theme: "M8 1.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM8 3v10A5 5 0 008 3z",
  close: "M4 4l8 8M12 4l-8 8",
  previous: "M4 10l4-4 4 4",
  next: "M4 6l4 4 4-4",
  copy: "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
  reset: "M3 8a5 5 0 105-5H4M6.5.5L4 3l2.5 2.5",
};

/** A small line drawing; what it says also has to stand beside it in words. */
export function icon(name) {
  return svg(
    "svg",
    { class: `icon icon-${name}`, viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: ICONS[name] }),
  );
}

/** A name that somebody chose: shown in its own direction, whatever it holds. */
export function name(text, attributes) {
  const parts = visible(text).split(BEHIND_SEPARATORS);
  return el("bdi", attributes, parts.flatMap((part, index) => (index ? [el("wbr"), part] : part)));
}

// Where a long name is best broken.
const BEHIND_SEPARATORS = /(?<=[_/:.\-])(?=[^_/:.\-])/;

/** Control characters, and those that turn text around, as escapes that can be seen. */
export function visible(text) {
  return String(text).replace(
    /[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) =>
      character === "\n" ? "\\n" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
