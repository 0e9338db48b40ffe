// Light and dark: the system's until the reader chooses; and the colours for what is drawn.

const KEY = "sgtrack-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const changes = new EventTarget();
let colours = {};
let chosen = null;

export function startTheme() {
  chosen = remembered();
  show(chosen);
  dark.addEventListener("change", changed);
  // Paper is white.
  window.addEventListener("beforeprint", () => show("light"));
  window.addEventListener("afterprint", () => show(chosen));
}

export function toggleTheme() {
  chosen = isDark() ? "light" : "dark";
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // A browser may keep nothing for files; then the choice lasts as long as the page.
  }
  show(chosen);
}

export function onThemeChange(listener, signal) {
  changes.addEventListener("change", listener, { signal });
}

/** A colour of the style sheet, as a canvas takes it. */
export function colour(property) {
  if (!colours[property]) {
    const probe = document.createElement("span");
    probe.style.color = `var(${property})`;
    document.body.append(probe);
    colours[property] = getComputedStyle(probe).color;
    probe.remove();
  }
  return colours[property];
}

function isDark() {
  const shown = document.documentElement.dataset.theme;
  return shown ? shown === "dark" : dark.matches;
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function show(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  changed();
}

function changed() {
  colours = {};
  changes.dispatchEvent(new Event("change"));
}
