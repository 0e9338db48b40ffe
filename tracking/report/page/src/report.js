// A page as a file: the data lie in the page itself.

import { mount } from "./app.js";
import { mountDrift } from "./drift_page.js";
import { createStore } from "./store.js";
import { startTheme } from "./theme.js";

const DEFAULTS = { test: "", q: "", verdict: "", sort: "worst", smooth: "0" };

startTheme();
const data = JSON.parse(document.getElementById("report-data").textContent);
const host = document.getElementById("app");
document.title = `${data.experiment} · sg-track`;
if (data.format === "sgtrack-drift") mountDrift(host, data);
else mount(host, data, createStore(DEFAULTS, ["test"]));
