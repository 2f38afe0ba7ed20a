// One strip of colours per part of the cell, a field per unit; a pointer or arrow keys choose a unit.

import { h, fill, number } from "./dom.js";
import { scale } from "./colours.js";
import { heatSheet, spread } from "./picture.js";
import { pixelsAt } from "./trace.js";

const HEIGHT = 22;
const MOVES = { ArrowRight: 1, ArrowLeft: -1, PageUp: 10, PageDown: -10 };

export class Strips {
  constructor({ onUnit }) {
    this.onUnit = onUnit;
    this.rows = h("div", { className: "strip-rows" });
    this.mark = h("div", { className: "unit-mark" });
    this.slider = h("div", {
      className: "strips", tabIndex: 0, role: "slider", "aria-label": "Unit", "aria-valuemin": 1, "data-arrows": "",
      onkeydown: (event) => this.key(event), onpointerdown: (event) => this.point(event), onpointermove: (event) => event.buttons && this.point(event),
    }, this.rows, this.mark);
    this.hint = h("p", { className: "note" }, "Press a strip, or use the left and right arrow keys on it, to choose a unit.");
    this.element = h("div", {}, this.slider, this.hint);
    new ResizeObserver(() => this.trace && this.width !== this.slider.clientWidth && this.show(this.trace, this.cell, this.state)).observe(this.slider);
  }

  show(trace, cell, state) {
    if (this.cell !== cell || !this.canvases) this.build(cell);
    Object.assign(this, { trace, cell, state, width: this.slider.clientWidth });
    const { step, unit } = state;
    const pixels = pixelsAt(trace, step);
    this.strip("x", pixels.length ? pixels : [0], "share", 1, `${pixels.length} pixels`);
    for (const part of cell.parts) {
      const values = trace.gates[part.key][step - 1];
      const most = part.free ? Math.max(1e-6, ...trace.gates[part.key].flat().map(Math.abs)) : 1;
      this.strip(part.key, values, part.kind, most, number(values[unit]));
    }
    this.place(unit, trace.hidden_TU[0].length);
  }

  build(cell) {
    this.canvases = new Map();
    const rows = [["x", "x", "pixels"], ...cell.parts.map((part) => [part.key, part.symbol, part.key])];
    fill(this.rows, rows.map(([key, symbol, name]) => {
      const canvas = h("canvas", { "aria-hidden": "true" });
      const told = h("em");
      this.canvases.set(key, { canvas, told });
      return h("div", { className: `strip strip-${key}` }, h("span", {}, h("i", {}, symbol), h("small", {}, ` ${name}`)), h("div", { className: "strip-field" }, canvas), told);
    }));
  }

  strip(key, values, kind, most, text) {
    const { canvas, told } = this.canvases.get(key);
    const width = canvas.parentElement.clientWidth;
    if (width) spread(canvas, heatSheet([values], () => scale(kind, most)), width, HEIGHT);
    told.textContent = text;
  }

  /** The frame around the chosen unit, over all strips but that of the pixels. */
  place(unit, units) {
    const field = this.canvases.get(this.cell.parts[0].key).canvas.parentElement;
    const step = field.clientWidth / units;
    this.mark.style.left = `${field.offsetLeft + unit * step - 1}px`;
    this.mark.style.width = `${Math.max(4, step + 2)}px`;
    this.mark.style.top = `${field.offsetTop - 2}px`;
    this.mark.style.height = `${this.rows.offsetHeight - field.offsetTop + 2}px`;
    this.slider.setAttribute("aria-valuemax", units);
    this.slider.setAttribute("aria-valuenow", unit + 1);
    this.slider.setAttribute("aria-valuetext", `Unit ${unit + 1} of ${units}`);
  }

  point(event) {
    const field = this.canvases?.get(this.cell.parts[0].key).canvas.parentElement.getBoundingClientRect();
    if (!field || event.clientX < field.left || event.clientX > field.right) return;
    const units = this.trace.hidden_TU[0].length;
    this.onUnit(Math.max(0, Math.min(units - 1, Math.floor(((event.clientX - field.left) / field.width) * units))));
  }

  key(event) {
    const units = this.trace?.hidden_TU[0].length;
    const unit = { Home: 0, End: units - 1 }[event.key] ?? (MOVES[event.key] && this.state.unit + MOVES[event.key]);
    if (!units || unit === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.onUnit(Math.max(0, Math.min(units - 1, unit)));
  }
}
