// Where values lie along an axis. Pure.
//
// A scale is { kind, at(value), ticks(wanted), text(from, to) }: `at` is a share of the axis, 0 to 1,
// or null for what has no place on it; `ticks` are [share, words]; `text` says what lies between two
// shares.

import { extent, ticks as roundNumbers } from "./chart_data.js";
import { number, value as said, when } from "./format.js";

const DAY_S = 86_400;
const SPAN_OF_LOG = 50;

export function linear(low, high) {
  const at = (value) => shareOf(value, low, high);
  return numeric("linear", at, (share) => low * (1 - share) + high * share, (wanted) =>
    low < high ? roundNumbers(low, high, wanted) : [low],
  );
}

/** `low` and `high` are above 0; what is not has no place. */
export function logarithmic(low, high) {
  const [first, last] = [Math.log10(low), Math.log10(high)];
  const at = (value) => (value > 0 ? shareOf(Math.log10(value), first, last) : null);
  return numeric("log", at, (share) => 10 ** (first * (1 - share) + last * share), (wanted) => {
    if (!(low < high)) return [low];
    const tens = powersOfTen(Math.ceil(first - 1e-9), Math.floor(last + 1e-9), wanted);
    return tens.length > 1 ? tens : roundNumbers(low, high, wanted);
  });
}

/** Every value has a place of its own, all equally far apart. */
export function categories(values) {
  const keys = values.map(keyOf);
  const places = new Map(keys.map((key, index) => [key, (index + 0.5) / keys.length]));
  return {
    kind: "categories",
    at: (value) => places.get(keyOf(value)) ?? null,
    ticks(wanted) {
      const every = Math.max(1, Math.ceil(keys.length / Math.max(wanted, 1)));
      return values.flatMap((value, index) =>
        index % every ? [] : [[places.get(keys[index]), said(value)]],
      );
    },
    text: (from, to) =>
      values
        .filter((_, index) => isBetween(places.get(keys[index]), from, to))
        .map(said)
        .join(", ") || "nothing",
  };
}

/** Unix seconds; the words leave out what is the same all along. */
export function time(low, high) {
  const isLong = high - low > 2 * DAY_S;
  const words = (seconds) => (isLong ? when(seconds).slice(0, 10) : when(seconds).slice(5));
  return {
    kind: "time",
    at: (value) => shareOf(value, low, high),
    ticks(wanted) {
      const n = Math.max(2, Math.min(wanted, 8));
      const shares = low < high ? Array.from({ length: n }, (_, k) => k / (n - 1)) : [0.5];
      return shares.map((share) => [share, words(low * (1 - share) + high * share)]);
    },
    text: (from, to) => `${when(low + from * (high - low))} to ${when(low + to * (high - low))}`,
  };
}

/** Whether numbers read better by their logarithms: all above 0, and far apart. */
export function isLogBetter(numbers) {
  const [low, high] = extent([numbers]);
  return low > 0 && high / low >= SPAN_OF_LOG;
}

export function isBetween(share, from, to) {
  return share !== null && share >= from && share <= to;
}

function numeric(kind, at, back, places) {
  return {
    kind,
    at: (value) => (Number.isFinite(value) ? at(value) : null),
    ticks: (wanted) => places(wanted).map((value) => [at(value), number(value, 4)]),
    text: (from, to) => `${number(back(from), 4)} to ${number(back(to), 4)}`,
  };
}

// By halves, so that numbers as far apart as floats can be have a difference.
function shareOf(value, low, high) {
  const span = high / 2 - low / 2;
  return span > 0 ? (value / 2 - low / 2) / span : 0.5;
}

function powersOfTen(first, last, wanted) {
  const every = Math.max(1, Math.ceil((last - first + 1) / Math.max(wanted, 1)));
  const found = [];
  for (let power = first; power <= last; power += every) found.push(10 ** power);
  return found;
}

function keyOf(value) {
  return JSON.stringify(value) ?? "";
}
