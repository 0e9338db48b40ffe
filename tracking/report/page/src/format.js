// How numbers, times and values are said. Pure.

const NOTHING = "–";

/** The numbers that JSON cannot hold travel by name. */
export function decoded(value) {
  return typeof value === "string" ? Number(value) : value;
}

export function number(value, digits = 6) {
  const decodedValue = decoded(value);
  if (decodedValue === null || decodedValue === undefined) return NOTHING;
  if (!Number.isFinite(decodedValue)) return String(decodedValue);
  return String(Number(decodedValue.toPrecision(digits))).replace("-", "−");
}

/** Two numbers with the digits it takes to see that they differ. */
export function pair(before, after) {
  const [a, b] = [number(before), number(after)];
  const isHidden = a === b && before !== after;
  return isHidden ? [number(before, 17), number(after, 17)] : [a, b];
}

export function count(value) {
  return value.toLocaleString("en");
}

export function counted(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** (after - before) / |before|, null where that is no finite number. */
export function relativeChange(before, after) {
  const [a, b] = [decoded(before), decoded(after)];
  if (!Number.isFinite(a) || !Number.isFinite(b) || a === 0) return null;
  const change = (b / 2 - a / 2) / (Math.abs(a) / 2);
  return Number.isFinite(change) ? change : null;
}

export function percent(change) {
  if (change === null) return NOTHING;
  const size = Math.abs(100 * change);
  const text = size >= 1e6 ? size.toExponential(1) : String(Number(size.toPrecision(3)));
  const sign = change > 0 ? "+" : change < 0 ? "−" : "±";
  return `${sign}${text} %`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds < 1) return `${number(1000 * seconds, 3)} ms`;
  if (seconds < 60) return `${number(seconds, 3)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

const two = (part) => String(part).padStart(2, "0");

/** Local time on an axis that spans so many seconds: no more of it than it takes. */
export function clock(seconds, span) {
  const date = new Date(1000 * seconds);
  if (Number.isNaN(date.getTime())) return NOTHING;
  const minute = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (span >= 86_400) return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${minute}`;
  if (span >= 600) return minute;
  const second = `${minute}:${two(date.getSeconds())}`;
  return span >= 5 ? second : `${second}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Local time as 2026-01-31 09:05. */
export function when(seconds) {
  const date = new Date(1000 * seconds);
  if (Number.isNaN(date.getTime())) return NOTHING;
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** A value of a config or an environment, as JSON but for plain texts. */
export function value(anything) {
  if (anything === undefined) return "not there";
  return typeof anything === "string" ? anything : JSON.stringify(anything);
}

/** The path of a test and its name. */
export function nodeidParts(nodeid) {
  const cut = nodeid.indexOf("::");
  return cut < 0 ? ["", nodeid] : [nodeid.slice(0, cut + 2), nodeid.slice(cut + 2)];
}

/** Nested mappings as one, names joined by dots. */
export function flat(mapping, prefix = "") {
  return Object.entries(mapping).flatMap(([key, inner]) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner) && Object.keys(inner).length
      ? flat(inner, `${prefix}${key}.`)
      : [[`${prefix}${key}`, inner]],
  );
}
