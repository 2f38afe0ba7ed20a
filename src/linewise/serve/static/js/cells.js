// What the parts of an LSTM and of a GRU are called and do; torch's equations (see linewise/tracing/gates.py).

import { number, percent } from "./dom.js";

const share = (key, symbol, extra) => ({ key, symbol, kind: "share", ...extra });
const signed = (key, symbol, extra) => ({ key, symbol, kind: "signed", ...extra });

const LSTM = {
  name: "LSTM",
  parts: [
    share("forget", "f", {
      law: "σ(W·x + U·h′ + b)", name: "Forget gate", role: "how much of the memory is kept",
      say: (n) => `${percent(n.forget)} of the old memory is kept, ${percent(1 - n.forget)} is forgotten.`,
    }),
    share("input", "i", {
      law: "σ(W·x + U·h′ + b)", name: "Input gate", role: "how much of the new is let in",
      say: (n) => `The door for the new stands ${opened(n.input)}.`,
    }),
    signed("candidate", "g", {
      law: "tanh(W·x + U·h′ + b)", name: "Candidate", role: "what these pixels would write",
      say: (n) => `It proposes to ${n.candidate >= 0 ? "add" : "take away"} up to ${number(Math.abs(n.candidate))}.`,
    }),
    signed("cell", "c", {
      free: true, law: "f · c′ + i · g", name: "Memory", role: "what was kept plus what was let in",
      put: (n) => ["forget", "cellBefore", "input", "candidate"].map((key) => n[key]),
      form: ["", " · ", " + ", " · ", ""],
      say: (n) => changed(n.cellBefore, n.cell),
    }),
    share("output", "o", {
      law: "σ(W·x + U·h′ + b)", name: "Output gate", role: "how much of the memory is shown",
      say: (n) => `The memory is shown ${opened(n.output)}.`,
    }),
    signed("hidden", "h", {
      law: "o · tanh(c)", name: "Hidden state", role: "what the answer and the next step get to see",
      put: (n) => [n.output, n.cell], form: ["", " · tanh(", ")"],
      say: (n) => `The rest of the network sees ${number(n.hidden)}.`,
    }),
  ],
  kept: (n) => ({ before: n.cellBefore, kept: n.forget * n.cellBefore, added: n.input * n.candidate, after: n.cell }),
  keep: "forget", memory: "cell",
};

const GRU = {
  name: "GRU",
  parts: [
    share("reset", "r", {
      law: "σ(W·x + U·h′ + b)", name: "Reset gate", role: "how much of the past the candidate looks at",
      say: (n) => `The candidate looks at ${percent(n.reset)} of what the past says.`,
    }),
    signed("candidate", "n", {
      law: "tanh(W·x + b + r · (U·h′ + b′))", name: "Candidate", role: "what these pixels would write",
      say: (n) => `It proposes ${number(n.candidate)} as the new memory.`,
    }),
    share("update", "z", {
      law: "σ(W·x + U·h′ + b)", name: "Update gate", role: "how much of the memory stays",
      say: (n) => `${percent(n.update)} of the old memory stays; ${percent(1 - n.update)} is replaced.`,
    }),
    signed("hidden", "h", {
      law: "(1 − z) · n + z · h′", name: "Hidden state", role: "the memory after this step, seen by the answer too",
      put: (n) => [n.update, n.candidate, n.update, n.hiddenBefore], form: ["(1 − ", ") · ", " + ", " · ", ""],
      say: (n) => changed(n.hiddenBefore, n.hidden),
    }),
  ],
  kept: (n) => ({ before: n.hiddenBefore, kept: n.update * n.hiddenBefore, added: (1 - n.update) * n.candidate, after: n.hidden }),
  keep: "update", memory: "hidden",
};

/** The cell of a trace with gates; null where it has others, or none. */
export function cellOf({ gates }) {
  return [LSTM, GRU].find((cell) => cell.parts.every(({ key }) => gates?.[key])) ?? null;
}

/** All numbers of a unit at a step, and its memory before: 0 at the start of its direction. */
export function moment(trace, cell, step, unit) {
  const back = trace.directions === 2 && unit >= trace.hidden_TU[0].length / 2;
  const before = back ? step : step - 2;
  const now = Object.fromEntries(cell.parts.map(({ key }) => [key, trace.gates[key][step - 1][unit]]));
  for (const key of ["cell", "hidden"]) now[`${key}Before`] = trace.gates[key]?.[before]?.[unit] ?? 0;
  return now;
}

/** The whole layer at a step, in a sentence. */
export function overall(trace, cell, step) {
  const keep_U = trace.gates[cell.keep][step - 1];
  const mean = keep_U.reduce((a, b) => a + b, 0) / keep_U.length;
  const leaving = keep_U.filter((keep) => keep < 0.5).length;
  const now_U = trace.gates[cell.memory][step - 1];
  const moved = now_U.map((value, u) => Math.abs(value - moment(trace, cell, step, u)[`${cell.memory}Before`]));
  const most = moved.indexOf(Math.max(...moved));
  const units = keep_U.length;
  return `At this ${trace.aligned ? "row" : "step"} the ${units} units keep ${percent(mean)} of their memory on average; ${leaving} of them forget${leaving === 1 ? "s" : ""} more than half of theirs. Unit ${most + 1} changes most, by ${number(moved[most])}.`;
}

function opened(share) {
  if (share < 0.05) return `shut (${percent(share)})`;
  return share > 0.95 ? `wide open (${percent(share)})` : `${percent(share)} open`;
}

function changed(before, after) {
  const by = after - before;
  if (Math.abs(by) < 0.005) return `It stays at ${number(after)}.`;
  return `It ${by > 0 ? "rises" : "falls"} from ${number(before)} to ${number(after)}.`;
}
