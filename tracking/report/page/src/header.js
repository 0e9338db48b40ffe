// The top of the page: which session this is, how it went, and what to look at first.

import { command } from "./copy.js";
import { mappingTable } from "./diff.js";
import { el, icon, name } from "./dom.js";
import { count, counted, when } from "./format.js";
import { toggleTheme } from "./theme.js";
import { label, severity, testTone, TONES } from "./verdicts.js";

const OUTCOMES = { fail: "failed", warn: "warned", show: "to look at", pass: "passed", none: "not compared" };

/** `onHelp` opens the list of keys. */
export function pageHeader(data, { store, onHelp }) {
  const chips = verdictChips(data.tests, store);
  const node = el(
    "header",
    { class: "page-header" },
    el(
      "div",
      { class: "title-line" },
      el("h1", {}, el("span", { class: "brand" }, "sg-track"), name(data.experiment, { class: "experiment" })),
      el("time", { class: "muted", datetime: isoTime(data.created_at) }, when(data.created_at)),
      el("div", { class: "tools" }, [
        themeButton(),
        el("button", { type: "button", class: "button keys", onclick: onHelp, "aria-keyshortcuts": "?" }, "Keys", el("kbd", { "aria-hidden": "true" }, "?")),
      ]),
    ),
    overview(data.tests),
    chips.node,
    el("div", { class: "about" }, notices(data), session(data)),
  );
  return { node, update: chips.update };
}

/** Turns from light to dark and back. */
export function themeButton() {
  return el("button", { type: "button", class: "button", id: "theme", onclick: toggleTheme }, icon("theme"), el("span", {}, "Theme"));
}

function isoTime(seconds) {
  const date = new Date(1000 * seconds);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** How the session went, as a sentence and as a bar. */
function overview(tests) {
  const tones = TONES.toReversed()
    .map((tone) => [tone, tests.filter((test) => testTone(test) === tone).length])
    .filter(([, n]) => n);
  const words = tones.map(([tone, n], index) => [
    index > 0 && el("span", { class: "muted" }, " · "),
    el("span", { class: `tone-text tone-${tone}` }, icon(tone), el("b", {}, count(n)), ` ${OUTCOMES[tone]}`),
  ]);
  const bar = tones.map(([tone, n]) => {
    const part = el("span", { class: `tone-${tone}` });
    part.style.flexGrow = String(n);
    return part;
  });
  return el(
    "div",
    { class: "overview" },
    el("p", {}, tests.length ? words : "No test was compared in this session.", tests.length > 0 && el("span", { class: "muted" }, ` of ${counted(tests.length, "test")}`)),
    tests.length > 0 && el("div", { class: "bar", "aria-hidden": "true" }, bar),
  );
}

/** The verdicts there are, each a filter that can be pressed. */
function verdictChips(tests, store) {
  const byVerdict = new Map();
  for (const test of tests) {
    const verdict = test.verdict ?? "none";
    byVerdict.set(verdict, [...(byVerdict.get(verdict) ?? []), test]);
  }
  const sorted = [...byVerdict].sort(([a], [b]) => severity(b) - severity(a));
  const pressed = () => store.state.verdict.split(",").filter(Boolean);
  const buttons = sorted.map(([verdict, own]) => {
    const worst = own.map(testTone).reduce((a, b) => (TONES.indexOf(a) > TONES.indexOf(b) ? a : b));
    const toggle = () => {
      const now = pressed();
      const next = now.includes(verdict) ? now.filter((one) => one !== verdict) : [...now, verdict];
      store.set({ verdict: next.join(",") });
    };
    const words = label(verdict === "none" ? null : verdict);
    return [verdict, el("button", { type: "button", class: `chip tone-${worst}`, "aria-pressed": "false", onclick: toggle }, icon(worst), words, el("b", {}, count(own.length)))];
  });
  return {
    node: buttons.length > 0 && el("div", { class: "chips", role: "group", "aria-label": "Show only" }, buttons.map(([, button]) => button)),
    update() {
      const now = pressed();
      for (const [verdict, button] of buttons) button.setAttribute("aria-pressed", now.includes(verdict));
    },
  };
}

function notices({ problems, deaths, notices: others }) {
  return [
    deaths.length > 0 &&
      notice("fail", `${counted(deaths.length, "test")} died with the process`, deaths.map((death) => [
        name(death.nodeid, { class: "mono" }),
        ` ${death.ended_by}`,
        death.last_records && el("span", { class: "muted" }, `; ${death.last_records}`),
      ])),
    problems.length > 0 && notice("warn", counted(problems.length, "problem"), problems),
    others?.length > 0 && notice("show", counted(others.length, "notice"), others),
  ];
}

function notice(tone, title, lines) {
  return el(
    "section",
    { class: `notice tone-${tone}`, "aria-label": title },
    el("h2", {}, icon(tone), title),
    el("ul", {}, lines.map((line) => el("li", {}, line))),
  );
}

function session(data) {
  const files = (mapping, say) =>
    Object.entries(mapping ?? {}).map(([file, what]) => el("li", {}, name(file, { class: "mono" }), " ", say(what)));
  const entries = (names) => names.map((one, index) => [index > 0 && ", ", name(one, { class: "mono" })]);
  const parts = [
    data.suggestions.map(([purpose, text]) => part(`${purpose[0]?.toUpperCase() ?? ""}${purpose.slice(1)}`, command(text))),
    part("Written", files(data.written, (n) => (n === 1 ? "1 entry" : `${count(n)} entries`))),
    part("Removed", files(data.removed, entries)),
    part("Without a test", files(data.unused, entries)),
    part("Environment", Object.keys(data.environment).length > 0 && mappingTable(data.environment, "Environment of the session")),
  ];
  return el(
    "details",
    { class: "session" },
    el("summary", {}, "Session", el("span", { class: "muted" }, ` ${data.database}`, data.session && ` · ${data.session.slice(0, 8)}`)),
    el("div", { class: "session-parts" }, parts),
  );
}

function part(title, content) {
  const isEmpty = !content || (Array.isArray(content) && !content.length);
  const body = Array.isArray(content) ? el("ul", {}, content) : content;
  return !isEmpty && el("section", {}, el("h3", {}, title), body);
}
