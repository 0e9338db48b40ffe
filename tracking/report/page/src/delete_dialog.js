// Deleting runs: asks first, and names what would be gone.

import { el, name, replace } from "./dom.js";
import { counted } from "./format.js";
import { refOf } from "./runs.js";

const MOST_NAMED = 50;

export function deleteDialog({ api, runs, trouble, signal }) {
  const title = el("h2", { id: "delete-title" });
  const list = el("ul", { class: "delete-list", tabindex: "0", "aria-label": "Runs to delete" });
  const confirm = el("button", { type: "button", class: "button is-danger", onclick: deleteThem }, "Delete");
  const node = el(
    "dialog",
    { class: "help", "aria-labelledby": "delete-title" },
    title,
    el("p", { class: "muted" }, "Their records, histograms, images, texts and graphs go with them. A baseline stays as it is. This cannot be undone."),
    list,
    el("form", { method: "dialog", class: "dialog-buttons" }, el("button", { class: "button" }, "Keep"), confirm),
  );
  let doomed = [];
  let db = "";

  async function deleteThem() {
    confirm.disabled = true;
    try {
      for (const run of doomed) {
        await api.deleteRun({ db, id: refOf(run), uuid: run.uuid }, signal);
        runs.remove(run);
      }
    } catch (error) {
      trouble.show("delete", `Not everything was deleted. ${error.message}`);
    } finally {
      if (!runs.chosen.length) runs.chooseNewest();
      confirm.disabled = false;
      node.close();
    }
  }
  return {
    node,
    ask(experiment, chosen) {
      db = experiment;
      doomed = chosen;
      title.textContent = `Delete ${counted(chosen.length, "run")}?`;
      const named = chosen.slice(0, MOST_NAMED).map((run) => el("li", {}, name(run.name, { class: "mono" }), el("span", { class: "muted" }, ` run ${refOf(run)}`)));
      replace(list, named, chosen.length > MOST_NAMED && el("li", { class: "muted" }, `and ${chosen.length - MOST_NAMED} more`));
      node.showModal();
    },
  };
}
