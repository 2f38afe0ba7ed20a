// Read: draw or bring a picture, and watch the network read it.

import { bar, h, fill, initial, number, percent, stepWord } from "./dom.js";
import { Input } from "./input.js";
import { Scrubber } from "./scrubber.js";
import { Stage } from "./stage.js";
import { probabilitiesAt, top } from "./trace.js";
import { lead, noSteps, story } from "./words.js";

const PLAY_AFTER_MS = 450;

export function makeRead(root, context) {
  return new Read(root, context);
}

class Read {
  constructor(root, context) {
    Object.assign(this, { root, context, session: context.session });
    this.input = new Input(context, { onLift: () => this.playSoon() });
    this.stage = new Stage({ onStep: (step) => this.scrubber.to(step) });
    this.scrubber = new Scrubber({ session: this.session, root, describe });
    this.glyph = h("div", { className: "glyph", "aria-hidden": "true" });
    this.sentence = h("p", { className: "sentence" });
    this.detail = h("p", { className: "detail" });
    this.bars = h("div", { className: "bars" });
    this.note = h("p", { className: "note" });
    this.rest = h("p", { className: "note hovered" });
    this.lead = h("p", { className: "lead" }, lead(null));
    this.empty = h("div", { className: "empty" }, h("p", {}, "Draw on the left, or press one of the examples: the answer appears while you draw."));
    this.shown = h("div", { className: "shown" }, this.stage.element, this.scrubber.element, this.bars, this.note, this.rest);
    const answer = h("div", { className: "answer" }, this.glyph, h("div", {}, this.sentence, this.detail));
    fill(root,
      h("h1", {}, "Watch a network read"),
      this.lead,
      h("div", { className: "two reading" }, h("div", { className: "card" }, this.input.element),
        h("div", { className: "card result" }, answer, this.empty, this.shown), this.input.examples));
    this.session.store.listen((state, changed) => changed.has("picture") && this.waitOver());
  }

  enter() {
    this.input.enter();
  }

  leave() {
    this.waitOver();
    this.scrubber.player.stop();
    this.input.leave();
  }

  /** Play the reading once the pen rests. */
  playSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const { trace } = this.session.state;
      if (trace?.num_steps && !this.scrubber.player.playing) this.scrubber.player.play(trace.num_steps);
    }, PLAY_AFTER_MS);
  }

  waitOver() {
    clearTimeout(this.timer);
    this.scrubber.player.stop();
  }

  show(state, changed) {
    this.input.show(state, changed);
    const { trace } = state;
    this.empty.hidden = Boolean(trace);
    this.shown.hidden = !trace;
    if (!trace) return this.showNothing(state);
    if (["trace", "view", "theme"].some((name) => changed.has(name))) this.showTrace(trace);
    if (changed.has("step")) this.stage.move(state.step);
    if (changed.has("unit")) this.showUnit(state);
    this.scrubber.show(state);
    this.showAnswer(state);
  }

  showNothing({ picture }) {
    this.glyph.textContent = "?";
    this.sentence.textContent = picture ? "Reading…" : "Nothing to read yet";
    this.detail.textContent = this.time = this.detail.dataset.latency = "";
  }

  showTrace(trace) {
    const panels = [];
    if (trace.probabilities_TK) panels.push({
      title: `Belief after each ${stepWord(trace)}`, matrix_TN: trace.probabilities_TK, kind: "share",
      names: trace.class_names, share: 1, dots_T: trace.answers_T,
    });
    if (trace.hidden_TU) panels.push({
      title: `Memory: ${trace.hidden_TU[0].length} numbers`, matrix_TN: trace.hidden_TU, kind: "signed",
      most: largest(trace.hidden_TU), share: 1.45, pick: (unit) => this.session.store.set({ unit }),
    });
    this.stage.step = this.session.state.step;
    this.shown.classList.toggle("whole", !panels.length);
    this.lead.textContent = lead(trace);
    this.stage.show(trace, panels);
    const { probabilities_K: p_K, class_names: names } = trace;
    const few = p_K.length <= 10;
    this.bars.hidden = Boolean(trace.probabilities_TK);
    fill(this.bars, this.bars.hidden ? [] : (few ? names.map((name, k) => ({ name, p: p_K[k] })) : top(p_K, names, 10)).map((each) => bar(each)));
    this.note.textContent = noSteps(trace) || story(trace);
    this.showUnit(this.session.state);
    const [first] = top(p_K, names, 1);
    this.context.say(`The network says ${first.name}, ${percent(first.p)}. ${settledText(trace)}`);
  }

  showUnit({ trace, unit, step }) {
    if (!trace?.hidden_TU) return fill(this.rest);
    fill(this.rest, `Unit ${unit + 1} of the memory stands at ${number(trace.hidden_TU[step - 1]?.[unit] ?? 0)} here; press the memory to pick another. `,
      h("a", { href: "#cell" }, "Open it up"));
  }

  showAnswer(state) {
    const { trace, step, latency, model } = state;
    if (model !== this.timed) this.time = ""; // another network's time
    this.timed = model;
    const [first, second] = top(probabilitiesAt(trace, step), trace.class_names, 2);
    const final = !trace.num_steps || step === trace.num_steps;
    this.glyph.textContent = initial(first.name);
    fill(this.sentence, final || !trace.probabilities_TK ? "It says " : `After ${stepWord(trace)} ${step} it says `, h("b", {}, first.name), `, ${percent(first.p)} sure`);
    if (latency !== null) this.time = state.picture?.from === "pad" ? `Answered in ${Math.max(1, Math.round(latency))} ms.` : "";
    this.detail.dataset.latency = latency ?? "";
    this.detail.textContent = [second && `Next: ${second.name}, ${percent(second.p)}.`, settledText(trace), this.time].filter(Boolean).join(" ");
    this.showUnit(state);
  }
}

function describe(trace, step) {
  const start = `${stepWord(trace) === "row" ? "Row" : "Step"} ${step} of ${trace.num_steps}`;
  if (!trace.probabilities_TK) return start;
  const [first] = top(probabilitiesAt(trace, step), trace.class_names, 1);
  return `${start}: ${first.name}, ${percent(first.p)}`;
}

function settledText(trace) {
  return trace.settled ? `Settled after ${stepWord(trace)} ${trace.settled} of ${trace.num_steps}.` : "";
}

const largest = (matrix) => Math.max(1e-6, matrix.reduce((most, row) => row.reduce((m, x) => Math.max(m, Math.abs(x)), most), 0));
