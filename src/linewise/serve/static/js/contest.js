// Two networks beside each other: their beliefs as bars, their costs as a table.

import { bar, h, grouped } from "./dom.js";
import { top } from "./trace.js";

const MOST_BARS = 10;

/** Bars of the probabilities: all classes where they are few, else the most likely. */
export function answerBars({ probabilities_K: p_K, class_names: names }) {
  const best = p_K.indexOf(Math.max(...p_K));
  const chosen = names.length <= MOST_BARS ? names.map((name, k) => ({ name, p: p_K[k], k })) : top(p_K, names, 5);
  return chosen.map(({ name, p, k }) => bar({ name, p, strong: k === best }));
}

/** The rows of the table of costs; each has a bar as long as its share of the larger of both. */
export function costRows(contestants) {
  const rows = [
    ["Numbers it learned", "parameters", ({ parameters }) => parameters, grouped],
    ["Multiplications", "multiply-accumulates (MACs) for one picture, from the run's record", ({ macs }) => macs, large],
    ["Time", "see below", ({ latency }) => latency?.median_ms ?? null, (x) => `${x.toFixed(x < 1 ? 3 : 2)} ms`],
  ];
  return [h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Cost of a picture"), contestants.map((each) => h("th", { scope: "col" }, each.model)))),
    h("tbody", {}, rows.map(([name, about, value, words]) => row(name, about, contestants.map(value), words)))];
}

function row(name, about, values, words) {
  const most = Math.max(...values.map((x) => x ?? 0), 1e-9);
  return h("tr", {}, h("th", { scope: "row", title: about }, name), values.map((x) => {
    if (x === null) return h("td", {}, "not known");
    const full = h("i");
    full.style.width = `${Math.max(1, (100 * x) / most)}%`;
    return h("td", {}, words(x), h("b", { className: "meter", "aria-hidden": "true" }, full));
  }));
}

function large(n) {
  if (n >= 1e9) return `${(n / 1e9).toFixed(2)} thousand million`;
  return n >= 1e6 ? `${(n / 1e6).toFixed(2)} million` : grouped(n);
}
