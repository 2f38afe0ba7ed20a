// What the server tells of a reading, made ready for drawing.

/** Add what can be told from the rest: whether steps are rows of the image, and the answer after each step. */
export function understand(trace) {
  const aligned = isAligned(trace);
  const best = (p_K) => p_K.indexOf(Math.max(...p_K));
  return {
    ...trace,
    aligned,
    answer: best(trace.probabilities_K),
    answers_T: trace.probabilities_TK?.map(best) ?? null,
    height: trace.image_HWC.length,
    width: trace.image_HWC[0].length,
  };
}

/** Whether step t reads the rows of the image at its own height: then charts stand exactly beside them. */
function isAligned({ num_steps: T, step_HW }) {
  const H = step_HW?.length;
  if (!T || !H || H % T) return false;
  return step_HW.every((row, y) => row.every((step) => step === Math.floor((y * T) / H) + 1));
}

/** Probabilities after a step; those at the end where there are none on the way. */
export const probabilitiesAt = (trace, step) => trace.probabilities_TK?.[step - 1] ?? trace.probabilities_K;

/** The pixels a step reads first, from top left to bottom right, each from 0 to 1 (the mean of its channels). */
export function pixelsAt(trace, step) {
  const found = [];
  trace.step_HW?.forEach((row, y) => row.forEach((at, x) => {
    if (at === step) found.push(trace.image_HWC[y][x].reduce((a, b) => a + b, 0) / (255 * trace.image_HWC[y][x].length));
  }));
  return found;
}

/** The classes of the highest probabilities, with those. */
export function top(p_K, names, count = 3) {
  return p_K.map((p, k) => ({ name: names[k], p, k })).sort((a, b) => b.p - a.p).slice(0, count);
}
