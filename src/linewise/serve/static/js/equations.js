// The equations of one unit with its numbers, each on its colour, and what was kept and added as bars.

import { h, fill, number } from "./dom.js";
import { chip } from "./colours.js";

export class Equations {
  constructor() {
    this.title = h("h2");
    this.input = h("p", { className: "note" });
    this.lines = h("div", { className: "equations" });
    this.bars = h("div", { className: "keeping" });
    this.legend = h("p", { className: "note" }, "x: the pixels of this step. h′ and c′: hidden state and memory before it. σ squeezes any number between 0 and 1, tanh between −1 and 1.");
    this.element = h("div", {}, this.title, this.input, this.lines, this.legend);
    this.keeping = h("div", { className: "below" }, h("h2", {}, "What memory keeps and takes in"), this.bars);
  }

  show(cell, now, trace, { step, unit }) {
    const word = trace.aligned ? "row" : "step";
    this.title.textContent = `${cell.name}, ${word} ${step}, unit ${unit + 1}`;
    this.input.textContent = trace.layers > 1 ? `The last of ${trace.layers} layers: its x is the layer below, not the pixels.` : "";
    this.input.hidden = !this.input.textContent;
    fill(this.lines, cell.parts.map((part) => line(part, now, part.free ? mostOf(trace.gates[part.key], unit) : 1)));
    const found = cell.kept(now);
    const most = Math.max(1, ...Object.values(found).map(Math.abs));
    const told = { before: "memory before", kept: "of it kept", added: "let in", after: "memory after" };
    fill(this.bars, Object.entries(told).map(([key, name]) => keepingBar(name, found[key], most, key)));
  }
}

/** The largest size a unit's value has in the whole reading. */
const mostOf = (values_TU, unit) => Math.max(1e-6, ...values_TU.map((row) => Math.abs(row[unit])));

function line(part, now, most) {
  return h("div", { className: "equation" },
    h("div", { className: "law" }, h("i", {}, part.symbol), ` = ${part.law}`),
    h("div", { className: "put" }, part.put ? ["= ", ...mixed(part, now), " "] : [], "= ", numberChip(now[part.key], part.kind, most)),
    h("div", { className: "role" }, h("b", {}, `${part.name}:`), ` ${part.role}. `, h("span", {}, part.say(now))));
}

function mixed(part, now) {
  const numbers = part.put(now);
  return part.form.flatMap((text, i) => (i < numbers.length ? [text, h("span", { className: "value" }, number(numbers[i]))] : [text]));
}

function numberChip(value, kind, most) {
  const { back, ink } = chip(value, kind, most);
  const element = h("span", { className: "chip" }, number(value));
  element.style.background = back;
  element.style.color = ink;
  return element;
}

/** A bar to the right or the left of zero. */
function keepingBar(name, value, most, key) {
  const bar = h("i", { className: value < 0 ? "below" : "above" });
  const share = (50 * Math.abs(value)) / most;
  bar.style.width = `${share}%`;
  bar.style.left = `${value < 0 ? 50 - share : 50}%`;
  return h("div", { className: `keep ${key}` }, h("span", {}, name), h("b", {}, bar), h("em", {}, number(value)));
}
