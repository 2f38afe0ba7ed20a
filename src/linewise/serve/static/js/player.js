// The scan: a step after another, as fast as a class can follow.

import { wantsLessMotion } from "./dom.js";

const WHOLE_MS = 1600;

export class Player {
  constructor({ go, stopped }) {
    Object.assign(this, { go, stopped, frame: 0 });
  }

  get playing() {
    return this.frame !== 0;
  }

  /** Play from the first step to the last; unasked only for those who like motion. */
  play(steps, { asked = false } = {}) {
    this.stop();
    if (!steps || (!asked && wantsLessMotion())) return;
    const started = performance.now();
    let shown = 0;
    const whole = Math.max(WHOLE_MS, Math.min(4000, steps * 30));
    const beat = (now) => {
      const step = Math.max(1, Math.min(steps, Math.ceil(((now - started) / whole) * steps)));
      if (step !== shown) this.go((shown = step));
      if (step < steps) this.frame = requestAnimationFrame(beat);
      else this.stop();
    };
    this.frame = requestAnimationFrame(beat);
  }

  stop() {
    if (!this.frame) return;
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.stopped();
  }
}
