// Inside a cell: one step of an LSTM or a GRU, as equations with this row's numbers in them.

import { h, fill } from "./dom.js";
import { Equations } from "./equations.js";
import { Scrubber } from "./scrubber.js";
import { Stage } from "./stage.js";
import { Strips } from "./strips.js";
import { cellOf, moment, overall } from "./cells.js";

export function makeCell(root, context) {
  return new Cell(root, context);
}

class Cell {
  constructor(root, context) {
    Object.assign(this, { root, context, session: context.session });
    this.stage = new Stage({ onStep: (step) => this.scrubber.to(step) });
    this.scrubber = new Scrubber({ session: this.session, root, describe });
    this.equations = new Equations();
    this.strips = new Strips({ onUnit: (unit) => this.session.store.set({ unit }) });
    this.sentence = h("p", { className: "note" });
    this.summary = h("p", { className: "sum" });
    this.other = h("div", { className: "empty" });
    const left = h("div", { className: "card" }, this.stage.element, this.scrubber.element, this.sentence, this.equations.keeping);
    const right = h("div", { className: "card" }, this.equations.element);
    this.shown = h("div", {}, h("div", { className: "two even" }, left, right),
      h("div", { className: "card" }, h("h2", {}, "All units in this moment"), this.strips.element, this.summary));
    fill(root, h("h1", {}, "Inside a cell"),
      h("p", { className: "lead" }, "A recurrent cell keeps a memory of numbers. At every row, small gates between 0 (shut) and 1 (open) decide what is kept, what is let in and what is shown."),
      this.other, this.shown);
  }

  enter() {
    this.session.wantGates(true);
    const { trace, step } = this.session.state;
    if (trace?.num_steps && step === trace.num_steps) this.session.go(trace.settled ?? Math.ceil(step / 2)); // more to see there
  }

  leave() {
    this.session.wantGates(false);
    this.scrubber.player.stop();
  }

  show(state, changed) {
    const { trace, model, picture } = state;
    const cell = trace && cellOf(trace);
    this.shown.hidden = !cell;
    this.other.hidden = Boolean(cell);
    if (!cell) return this.showOther(trace, picture, model);
    if (changed.size > 1 || !changed.has("step")) this.showTrace(state, cell);
    else this.stage.move(state.step);
    this.scrubber.show(state);
    const now = moment(trace, cell, state.step, state.unit);
    this.equations.show(cell, now, trace, state);
    this.strips.show(trace, cell, state);
    this.summary.textContent = overall(trace, cell, state.step);
  }

  showTrace({ unit, step, trace }, cell) {
    const columns = cell.parts.map(({ key }) => trace.gates[key].map((row) => row[unit]));
    const matrix_TN = columns[0].map((_, t) => columns.map((column) => column[t]));
    const mosts = cell.parts.map((part, n) => (part.kind === "share" || !part.free ? 1
      : Math.max(1e-6, ...columns[n].map(Math.abs))));
    this.stage.step = step;
    this.stage.show(trace, [{
      title: `Unit ${unit + 1} over the ${trace.aligned ? "rows" : "steps"}`, matrix_TN, kind: "signed",
      kinds: cell.parts.map((part) => part.kind), mosts, names: cell.parts.map((part) => part.key), share: 1,
      pick: () => {},
    }]);
    this.sentence.textContent = backwards(trace, unit)
      + "Each column is one part of the unit, from the first step at the top to the last. Blue is up, orange is below zero; for gates, the bluer the more open.";
  }

  showOther(trace, picture, model) {
    if (!picture) return fill(this.other, h("p", {}, "Nothing has been read yet. ", h("a", { href: "#read" }, "Draw something in Read"), ", then come back, or take an example: "),
      h("button", { type: "button", onclick: () => this.session.openExample() }, "Take an example"));
    if (!trace || (!trace.asked_gates && trace.num_steps)) return fill(this.other, h("p", {}, "Opening the cell…"));
    fill(this.other, h("p", {}, `${otherCell(trace, model)} Choose an LSTM or a GRU above to see gates.`));
  }
}

function otherCell(trace, model) {
  if (!trace.num_steps) return `${model.name} (${model.network}) does not read step by step: it has no cell to open.`;
  if (trace.gates) return `${model.name} is a plain recurrent network: at every step its memory becomes tanh(W·x + U·h′ + b), all of it anew, with no gate to protect anything.`;
  return `${model.name} (${model.network}) reads step by step, but its cell has other parts than the gates of an LSTM or a GRU.`;
}

function backwards(trace, unit) {
  if (trace.directions !== 2) return "";
  const back = unit >= trace.hidden_TU[0].length / 2;
  return back ? "This unit reads backwards: what came before is what stands below. " : "This unit reads forwards. ";
}

function describe(trace, step) {
  return `${trace.aligned ? "Row" : "Step"} ${step} of ${trace.num_steps}`;
}

