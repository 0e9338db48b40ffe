// The views of the dashboard, in the order of their tabs.
//
// A view is { key, title, create, hasSide }: `create({ store, api, live, runs, trouble, signal })`
// returns { node, update(state, before) }; `update` is called after each change of the address and
// of the runs. With `hasSide` the list of runs stands beside it. A view without `title` has no tab.

import { compareView } from "./compare_view.js";
import { graphsView } from "./graphs_view.js";
import { historyView } from "./history_view.js";
import { hparamsView } from "./hparams_view.js";
import { mediaView } from "./media_view.js";
import { runView } from "./run_view.js";
import { runsView } from "./runs_view.js";

export const VIEWS = [runsView, runView, compareView, hparamsView, historyView, mediaView, graphsView];
