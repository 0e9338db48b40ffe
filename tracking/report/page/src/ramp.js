// Colours for numbers: from dark to light, so that they are told apart without seeing hues.

import { colour } from "./theme.js";

const STOPS = ["--ramp-0", "--ramp-1", "--ramp-2", "--ramp-3", "--ramp-4"];
const N_SHADES = 64;

/** The colour of a share from 0 to 1, one of a few; of null that of what has no number. */
export function rampColour(share) {
  if (share === null) return colour("--muted");
  const place = (Math.round(Math.max(0, Math.min(1, share)) * N_SHADES) / N_SHADES) * (STOPS.length - 1);
  const at = Math.min(Math.floor(place), STOPS.length - 2);
  const [from, to] = [STOPS[at], STOPS[at + 1]].map((stop) => channels(colour(stop)));
  return `rgb(${from.map((one, index) => Math.round(one + (to[index] - one) * (place - at))).join(" ")})`;
}

function channels(rgb) {
  return rgb.match(/[\d.]+/g).slice(0, 3).map(Number);
}
