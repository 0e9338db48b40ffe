// The views of the dashboard, in the order of their tabs.
//
// A view is { key, title, create, hasSide }: `create({ store, api, live, runs, trouble, signal })`
// returns { node, update(state, before) }; `update` is called after each change of the address and
// of the runs. With `hasSide` the list of runs stands beside it. A view without `title` has no tab.

import { runsView } from "./runs_view.js";

export const VIEWS = [runsView];
