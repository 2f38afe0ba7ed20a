// Sentences about a reading, for someone who sees one for the first time.

import { percent, stepWord } from "./dom.js";

/** What the view shows, in a sentence. */
export function lead(trace) {
  if (trace && !trace.num_steps) return "Some networks look at the whole picture at once. Choose one that reads, such as an LSTM, to watch it go row by row.";
  if (trace && !trace.probabilities_TK) return `It reads your picture ${trace.directions === 2 ? "from both ends" : "step by step"} and remembers what it has seen; its answer comes at the very end.`;
  if (trace && !trace.aligned) return `It reads your picture in ${trace.num_steps} steps (${trace.reading}), a few pixels in each, and remembers what it has seen.`;
  return "It reads your picture from the top, one row of pixels at a time, and after every row it says what it believes so far.";
}

/** Why there is no answer on the way, or of the reading itself; empty where there is an answer after each step. */
export function noSteps(trace) {
  if (trace.probabilities_TK) return "";
  if (!trace.num_steps) {
    return "This network takes in the whole picture at once. It has no answer on the way, so there is no row to watch; these are its final probabilities.";
  }
  if (trace.directions === 2) {
    return "This network reads from both ends and answers when both readings have met, so there is no answer on the way. Left half of the memory: reading forwards; right half: reading backwards.";
  }
  return "This network answers from all steps together, so there is no answer on the way; its memory can still be watched.";
}

/** What happened while it read, in a sentence or two. */
export function story(trace) {
  const { answers_T, class_names: names, settled, num_steps: T } = trace;
  const word = stepWord(trace);
  const turns = answers_T.filter((answer, t) => t && answer !== answers_T[t - 1]).length;
  const before = settled > 1 ? names[answers_T[settled - 2]] : null;
  if (!before) return `It never changed its mind: ${names[trace.answer]} from the first ${word} on.${early(trace)}`;
  const left = T - settled;
  const sure = trace.probabilities_TK[settled - 1][trace.answer];
  const stop = early(trace);
  const rest = left ? ` The last ${left} ${word}${left > 1 ? "s" : ""} changed nothing.` : "";
  return `Up to ${word} ${settled - 1} it took this for ${before}; ${word} ${settled} made it ${names[trace.answer]} (${percent(sure)}), and it stayed so. It changed its mind ${turns === 1 ? "once" : `${turns} times`}.${rest}${stop}`;
}

/** Where it could have stopped reading, if it has a rule for that. */
function early(trace) {
  if (!trace.stopped || trace.stopped === trace.num_steps) return "";
  return ` By its rule for stopping early it would have read only ${trace.stopped} of ${trace.num_steps} ${stepWord(trace)}s.`;
}
