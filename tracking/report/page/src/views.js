// The views of the dashboard, in the order of their tabs.
//
// A view is { key, title, hasSide, create }. `create({ store, api, live, runs, trouble, config, pin,
// signal })` returns { node, update(state, before) }; `update` is called after each change of the
// address, of the runs, and of `pin.identity`, the run that stands out in all charts. With `hasSide`
// the list of runs stands beside it. A view without `title` has no tab.

import { compareView } from "./compare_view.js";
import { curvesView } from "./curves_view.js";
import { graphsView } from "./graphs_view.js";
import { historyView } from "./history_view.js";
import { hparamsView } from "./hparams_view.js";
import { mediaView } from "./media_view.js";
import { runView } from "./run_view.js";
import { runsView } from "./runs_view.js";

export const VIEWS = [
  runsView,
  curvesView,
  runView,
  compareView,
  hparamsView,
  historyView,
  mediaView,
  graphsView,
];
