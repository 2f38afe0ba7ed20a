// A confusion matrix as a table that keys walk through: blue where it was right, orange where it was not.

import { h, fill } from "./dom.js";
import { chip } from "./colours.js";

const MOST_NUMBERS = 20; // classes up to which squares have room for numbers
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class Matrix {
  constructor({ onOpen, words }) {
    Object.assign(this, { onOpen, words, at: { true: 0, predicted: 0 } });
    this.table = h("table", { className: "matrix", role: "grid", "aria-label": "Confusion matrix: rows are the true classes, columns the answers",
      onkeydown: (event) => this.key(event), onclick: (event) => this.press(event), onpointerover: (event) => this.over(event), onpointerleave: () => this.tell(this.at) });
    this.told = h("p", { className: "note told-cell" });
    this.hint = h("p", { className: "note" }, "Blue: share of the class that was recognised. Orange: mistakes, strongest where they are most frequent. Arrow keys move, Enter opens.");
    this.many = h("p", { className: "note", hidden: true }, "There are too many classes for a matrix; the most frequent mistakes are listed.");
    this.element = h("div", {}, h("div", { className: "matrix-box" }, this.table), this.told, this.hint, this.many);
  }

  show(found) {
    this.found = found;
    const { class_names: names, counts_KK } = found;
    this.cells = [];
    const none = !counts_KK.length;
    this.many.hidden = !none;
    this.table.hidden = this.told.hidden = this.hint.hidden = none;
    if (none) return fill(this.table);
    const long = names.some((name) => [...name].length > 2);
    this.table.classList.toggle("long", long);
    this.table.classList.toggle("bare", names.length > MOST_NUMBERS);
    const head = h("thead", {}, h("tr", { role: "row" }, h("td", { className: "corner-cell" }, "is ↓ said →"),
      names.map((name) => h("th", { scope: "col", role: "columnheader", title: name }, h("span", {}, name)))));
    const body = h("tbody", {}, names.map((name, t) => {
      const cells = names.map((_, p) => this.cell(t, p));
      this.cells.push(cells);
      return h("tr", { role: "row" }, h("th", { scope: "row", role: "rowheader", title: name }, h("span", {}, name)), cells);
    }));
    fill(this.table, head, body);
    this.paint();
  }

  cell(t, p) {
    const count = this.found.counts_KK[t][p];
    const { class_names: names } = this.found;
    const numbers = names.length <= MOST_NUMBERS;
    return h("td", { role: "gridcell", tabIndex: -1, "data-true": t, "data-predicted": p, "aria-label": this.words({ true: t, predicted: p }) },
      numbers && count ? h("span", { "aria-hidden": "true" }, String(count)) : null);
  }

  /** Colours: right answers as a share of their class, mistakes beside the most frequent one. */
  paint() {
    if (!this.cells?.length) return;
    const { counts_KK } = this.found;
    const totals = counts_KK.map((row) => row.reduce((a, b) => a + b, 0) || 1);
    const most = Math.max(1e-9, ...counts_KK.flatMap((row, t) => row.filter((_, p) => p !== t).map((count) => count / totals[t])));
    this.cells.forEach((row, t) => row.forEach((cell, p) => {
      const share = counts_KK[t][p] / totals[t];
      const { back, ink } = chip(t === p ? 0.85 * share : share ? -0.06 - 0.8 * (share / most) ** 0.7 : 0, "signed");
      cell.style.background = back;
      cell.style.color = ink;
    }));
    this.choose(this.at);
  }

  choose(at) {
    this.at = { true: at.true, predicted: at.predicted };
    if (!this.cells?.length) return;
    for (const cell of this.cells.flat()) {
      const here = Number(cell.dataset.true) === at.true && Number(cell.dataset.predicted) === at.predicted;
      cell.tabIndex = here ? 0 : -1;
      if (here) cell.setAttribute("aria-selected", "true");
      else cell.removeAttribute("aria-selected");
    }
    this.tell(this.at);
  }

  tell(at) {
    if (this.cells?.length) this.told.textContent = `${this.words(at)}.`;
  }

  place(event) {
    const cell = event.target.closest?.("td[data-true]");
    return cell && { true: Number(cell.dataset.true), predicted: Number(cell.dataset.predicted) };
  }

  press(event) {
    const at = this.place(event);
    if (at) this.onOpen(at);
  }

  over(event) {
    const at = this.place(event);
    if (at) this.tell(at);
  }

  key(event) {
    const last = this.cells.length - 1;
    const { true: t, predicted: p } = this.at;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      return this.onOpen(this.at);
    }
    const goal = { Home: [t, 0], End: [t, last], PageUp: [0, p], PageDown: [last, p] }[event.key]
      ?? (MOVES[event.key] && [t + MOVES[event.key][0], p + MOVES[event.key][1]]);
    if (!goal) return;
    event.preventDefault();
    const within = (n) => Math.max(0, Math.min(last, n));
    this.choose({ true: within(goal[0]), predicted: within(goal[1]) });
    this.cells[this.at.true][this.at.predicted].focus();
  }
}
