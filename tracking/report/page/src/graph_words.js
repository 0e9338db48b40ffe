// What is written and said of the boxes and groups of a computation graph. Pure.

import { visible } from "./dom.js";
import { counted } from "./format.js";
import { tensorText } from "./graph_model.js";

const MOST_LETTERS = 30;
const MOST_FOLDED = 3;

/** The lines in a box or a closed group: [{ text, class }]. */
export function linesOf(item) {
  if (item.children) {
    return [
      { text: shortened(item.name, true), class: "title" },
      { text: operations(item), class: "count" },
      item.nMarked > 0 && { text: `${item.nMarked} changed or added`, class: "tag" },
    ].filter(Boolean);
  }
  const { kind, op, label, within, mark, folded } = item;
  const isLeaf = kind !== "operation";
  const isNamed = label !== "" && label !== op;
  const below = [!isLeaf && isNamed && label, within].filter(Boolean);
  return [
    { text: shortened(isLeaf && isNamed ? label : op), class: "title" },
    isLeaf && isNamed && { text: op, class: "small" },
    ...below.map((text) => ({ text: shortened(text, true), class: "small" })),
    mark && { text: mark, class: "tag" },
    ...folded.slice(0, MOST_FOLDED).map((own) => ({ text: shortened(foldedText(own)), class: "folded" })),
    folded.length > MOST_FOLDED && { text: `and ${folded.length - MOST_FOLDED} more`, class: "folded" },
  ].filter(Boolean);
}

export function operations({ nOperations }) {
  return counted(nOperations, "operation");
}

function foldedText({ label, op, node }) {
  return [label || op, tensorText(node)].join(" ").trim();
}

/** A name of a box in one line, whole; what lies folded in another has the namespace of that. */
export function nameOf({ op, label, namespace, foldedIn }) {
  if (foldedIn) return label || op;
  return [...new Set([op, label, namespace])].filter(Boolean).join(" · ");
}

/** What stands on an edge: the tensor that goes along it, or how many do. */
export function edgeText(links, isMerged) {
  const texts = new Set(links.map(({ text }) => text));
  const [own] = texts;
  const isCounted = isMerged && links.length > 1;
  if (texts.size > 1) return counted(links.length, "edge");
  return [shortened(own), isCounted && `×${links.length}`].filter(Boolean).join(" ");
}

/** Texts that are too long lose their end; those of paths their beginning. */
export function shortened(text, isPath = false) {
  const letters = [...visible(text.slice(0, 1000))];
  if (letters.length <= MOST_LETTERS) return letters.join("");
  return isPath ? `…${letters.slice(1 - MOST_LETTERS).join("")}` : `${letters.slice(0, MOST_LETTERS - 1).join("")}…`;
}

/** How wide a text is in letters of a monospaced font. */
export function columns(text) {
  let total = 0;
  for (const letter of text) total += letter.codePointAt(0) < 0x1100 ? 1 : 2;
  return total;
}
