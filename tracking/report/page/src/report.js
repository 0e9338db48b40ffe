// The report as a file: the data lie in the page itself.

import { mount } from "./app.js";
import { createStore } from "./store.js";
import { startTheme } from "./theme.js";

const DEFAULTS = { test: "", q: "", verdict: "", sort: "worst", smooth: "0" };

startTheme();
const data = JSON.parse(document.getElementById("report-data").textContent);
document.title = `${data.experiment} · sg-track`;
mount(document.getElementById("app"), data, createStore(DEFAULTS, ["test"]));
