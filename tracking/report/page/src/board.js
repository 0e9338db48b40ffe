// The dashboard: a server has the data, and says what is new.

import { createApi } from "./api.js";
import { createLive } from "./live.js";
import { mount } from "./shell.js";
import { createStore } from "./store.js";
import { startTheme } from "./theme.js";

const DEFAULTS = {
  db: "",
  view: "runs",
  runs: "",
  follow: "1",
  run: "",
  q: "",
  sort: "started_at",
  group: "",
  metrics: "",
  x: "step",
  log: "",
  smooth: "0",
  a: "",
  b: "",
  test: "",
};

startTheme();
mount(document.getElementById("app"), {
  store: createStore(DEFAULTS, ["db", "view", "run", "a", "b", "test"]),
  api: createApi((...request) => fetch(...request)),
  live: createLive((address) => new EventSource(address)),
});
