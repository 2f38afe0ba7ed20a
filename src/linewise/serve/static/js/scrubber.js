// The slider of steps with its Play button; arrow keys move it from anywhere in its view.

import { h, stepWord } from "./dom.js";
import { Player } from "./player.js";

const STEPS = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1, PageDown: 5, PageUp: -5 };

export class Scrubber {
  /** `root` is where arrow keys are heard; `describe(trace, step)` says what a step shows. */
  constructor({ session, root, describe }) {
    Object.assign(this, { session, describe });
    this.player = new Player({ go: (step) => session.go(step), stopped: () => this.label() });
    this.button = h("button", { type: "button", className: "play", onclick: () => this.toggle() });
    this.range = h("input", { type: "range", min: 1, step: 1, "aria-label": "Row", oninput: () => this.to(Number(this.range.value)) });
    this.told = h("output", { className: "told" });
    this.element = h("div", { className: "scrubber" }, this.button, this.range, this.told);
    root.addEventListener("keydown", (event) => this.key(event));
    this.label();
  }

  key(event) {
    const field = event.target.closest("select, textarea, input, [data-arrows]");
    const last = this.session.state.trace?.num_steps;
    if (!last || (field && field !== this.range) || event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { Home: 1, End: last }[event.key] ?? (STEPS[event.key] && this.session.state.step + STEPS[event.key]);
    if (!step) return;
    event.preventDefault();
    this.to(step);
  }

  /** A hand moved to a step. */
  to(step) {
    this.player.stop();
    this.session.go(step);
  }

  toggle() {
    if (this.player.playing) this.player.stop();
    else this.player.play(this.session.state.trace?.num_steps, { asked: true });
    this.label();
  }

  label() {
    this.button.textContent = this.player?.playing ? "Stop" : "Read again";
  }

  show({ trace, step }) {
    const steps = trace?.num_steps;
    this.element.hidden = !steps;
    if (!steps) return;
    this.range.max = steps;
    this.range.value = step;
    const text = this.describe(trace, step);
    this.range.setAttribute("aria-label", stepWord(trace) === "row" ? "Row" : "Step");
    this.range.setAttribute("aria-valuetext", text);
    this.told.textContent = text;
    this.label();
  }
}
