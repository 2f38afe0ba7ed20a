// The image and charts beside it, one band of pixels per step, exactly aligned; a line that moves over all of them.

import { h, fill } from "./dom.js";
import { scale, styled } from "./colours.js";
import { heatSheet, imageSheet, profile, spread } from "./picture.js";
import { pixelsAt } from "./trace.js";

const NAME = 9;
const PROFILE = 46;
const MOST_NAMES = 24;

/**
 * A panel: `{ title, matrix_TN, kind: "share" | "signed", most, names, share, dots_T, pick }`.
 * `share` is how much of the width it wants, `dots_T` a column to mark in each row, `pick` hears of chosen columns,
 * `kinds` and `mosts` replace `kind` and `most` where columns differ.
 */
export class Stage {
  constructor({ onStep }) {
    this.onStep = onStep;
    this.imageCanvas = h("canvas", { role: "img", className: "pixels" });
    this.pixelCanvas = h("canvas", { "aria-hidden": "true" });
    this.caption = h("span");
    this.row = h("div", { className: "scan-line" });
    this.settled = h("div", { className: "settled-line" }, h("span"));
    this.unread = h("div", { className: "unread" });
    this.veil = h("div", { className: "veil", "aria-hidden": "true" }, this.unread);
    this.overlay = h("div", { className: "overlay", "aria-hidden": "true" }, this.settled, this.row);
    this.imagePlot = h("div", { className: "plot" }, this.imageCanvas);
    this.element = h("div", { className: "stage" });
    this.panels = [];
    this.trace = null;
    this.step = 0;
    this.listen(this.imagePlot, (y) => this.stepOfImage(y));
    this.watcher = new ResizeObserver(() => this.width !== this.element.clientWidth && this.layout());
    this.watcher.observe(this.element);
  }

  /** Show a trace with its panels. */
  show(trace, panels) {
    this.trace = trace;
    const same = panels.length === this.panels.length && panels.every((panel, i) =>
      panel.title === this.panels[i].title && String(panel.names) === String(this.panels[i].names));
    this.panels = panels.map((panel, i) => (same ? { ...this.panels[i], ...panel } : this.build(panel)));
    if (!same || !this.element.childElementCount) this.assemble();
    this.layout();
  }

  assemble() {
    const image = [h("div", { className: "stage-head" }, this.caption), this.imagePlot,
      h("div", { className: "stage-names" }), h("div", { className: "profile" }, this.pixelCanvas)];
    fill(this.element, image, this.panels.flatMap((panel) => panel.parts), this.veil, this.overlay);
    [image, ...this.panels.map((panel) => panel.parts)].forEach((parts, column) => parts.forEach((part, row) => {
      part.style.gridRow = row + 1;
      part.style.gridColumn = column + 1;
    }));
  }

  build(panel) {
    const canvas = h("canvas", { role: "img", "aria-label": panel.title });
    const bars = h("canvas", { "aria-hidden": "true" });
    const plot = h("div", { className: "plot" }, canvas);
    const names = panel.names && panel.names.length <= MOST_NAMES ? panel.names : [];
    const long = names.some((name) => name.length > 2);
    const labels = h("div", { className: `stage-names${long ? " long" : ""}` }, names.map((name) => h("span", {}, name)));
    const head = h("div", { className: "stage-head" }, panel.title);
    const built = { ...panel, canvas, bars, parts: [head, plot, labels, h("div", { className: "profile" }, bars)] };
    this.listen(plot, (y) => this.stepOf(y), (x) => {
      const now = this.panels.find((each) => each.canvas === canvas);
      now?.pick?.(Math.min(now.matrix_TN[0].length - 1, Math.floor(x * now.matrix_TN[0].length)));
    });
    return built;
  }

  listen(plot, stepAt, pick) {
    const hear = (event) => {
      if (!this.trace?.num_steps) return;
      const box = plot.getBoundingClientRect();
      const step = stepAt((event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width);
      if (step) this.onStep(step);
    };
    plot.addEventListener("pointerdown", hear);
    plot.addEventListener("pointermove", hear);
    if (pick) plot.addEventListener("click", (event) => {
      const box = plot.getBoundingClientRect();
      pick((event.clientX - box.left) / box.width);
    });
  }

  stepOf(y) {
    const T = this.trace.num_steps;
    return Math.max(1, Math.min(T, Math.floor(y * T) + 1));
  }

  stepOfImage(y) {
    if (this.trace.aligned) return this.stepOf(y);
    return null; // where steps are no rows, a place in the image is not a moment
  }

  /** Sizes: the image a whole number of pixels per pixel, charts of the same height beside it. */
  layout() {
    this.width = this.element.clientWidth;
    if (!this.trace || !this.width) return;
    const { height, width } = this.trace;
    const columns = this.panels.length ? (this.width < 520 ? 0.46 : this.panels.length > 1 ? 0.37 : 0.55) : 1;
    const wanted = Math.min((this.width * columns) / width, 380 / height);
    const ratio = window.devicePixelRatio || 1;
    const pixel = wanted >= 1 ? Math.floor(wanted) : Math.max(1, Math.floor(wanted * ratio)) / ratio;
    this.size = { width: pixel * width, height: pixel * height };
    // On a phone, names under a chart keep room enough to be told apart.
    const least = (panel) => Math.min((panel.names?.length ?? 0) * NAME, this.width * 0.3);
    const shares = this.panels.map((panel) => `minmax(${least(panel)}px, ${panel.share ?? 1}fr)`);
    this.element.style.gridTemplateColumns = [`${this.size.width}px`, ...shares].join(" ");
    this.element.style.gridTemplateRows = `auto ${this.size.height}px auto ${this.trace.num_steps ? PROFILE : 0}px`;
    this.overlay.style.gridColumn = this.trace.aligned ? "1 / -1" : "2 / -1";
    this.overlay.hidden = !this.panels.length;
    this.paint();
  }

  /** Draw all of it anew. */
  paint() {
    if (!this.trace || !this.size) return;
    this.caption.textContent = `What it sees: ${this.trace.height} × ${this.trace.width}`;
    this.imageCanvas.setAttribute("aria-label", this.caption.textContent);
    for (const panel of this.panels) this.paintPanel(panel);
    this.placeSettled();
    this.move(this.step || this.trace.num_steps || 0);
  }

  paintPanel(panel) {
    const { matrix_TN } = panel;
    const [T, N] = [matrix_TN.length, matrix_TN[0].length];
    const scaleOf = (n) => scale(panel.kinds?.[n] ?? panel.kind, panel.mosts?.[n] ?? panel.most ?? 1);
    const width = panel.canvas.parentElement.clientWidth;
    const context = spread(panel.canvas, heatSheet(matrix_TN, scaleOf), width, this.size.height);
    if (!panel.dots_T) return;
    const [dx, dy] = [width / N, this.size.height / T];
    const radius = Math.max(1.2, Math.min(3.2, dx / 4, dy / 3.2));
    context.fillStyle = styled("--dot");
    if (T <= 80) panel.dots_T.forEach((n, t) => {
      context.beginPath();
      context.arc((n + 0.5) * dx, (t + 0.5) * dy, radius, 0, 2 * Math.PI);
      context.fill();
    });
  }

  placeSettled() {
    const { settled, num_steps: T } = this.trace;
    this.settled.hidden = !settled;
    if (!settled) return;
    this.settled.style.transform = `translateY(${(settled / T) * this.size.height}px)`;
    this.settled.dataset.step = settled;
    this.settled.classList.toggle("low", (1 - settled / T) * this.size.height < 34); // no room below for the label
    this.settled.firstChild.textContent = `settled: ${this.trace.byRow ? "row" : "step"} ${settled}`;
  }

  /** Show another step: the line, what is read so far, and the profiles beneath. */
  move(step) {
    this.step = step;
    if (!this.trace || !this.size) return;
    const { num_steps: T, step_HW, image_HWC } = this.trace;
    const veil = (y, x) => (T && step_HW && step_HW[y][x] > step ? 0.72 : 0);
    const context = spread(this.imageCanvas, imageSheet(image_HWC, veil), this.size.width, this.size.height);
    this.row.hidden = this.unread.hidden = !T;
    if (!T) return this.hideProfiles();
    if (!this.trace.aligned && step_HW) this.outline(context, step);
    this.row.dataset.step = step;
    this.unread.style.top = `${(step / T) * this.size.height}px`;
    this.row.style.height = `${Math.max(3, this.size.height / T)}px`;
    this.row.style.transform = `translateY(${((step - 1) / T) * this.size.height}px)`;
    const pixels = pixelsAt(this.trace, step);
    if (pixels.length) profile(this.pixelCanvas, pixels, { kind: "share", width: this.size.width, height: PROFILE });
    for (const panel of this.panels) {
      const values = panel.matrix_TN[step - 1].map((x, n) => x / (panel.mosts?.[n] ?? panel.most ?? 1));
      const kind = panel.kinds ? "signed" : panel.kind;
      const strong = panel.dots_T ? panel.dots_T[step - 1] : -1;
      profile(panel.bars, values, { kind, width: panel.bars.parentElement.clientWidth, height: PROFILE, strong });
    }
  }

  hideProfiles() {
    for (const canvas of [this.pixelCanvas, ...this.panels.map((panel) => panel.bars)]) canvas.width = canvas.width;
  }

  /** Frame the pixels that this step reads. */
  outline(context, step) {
    const pixel = this.size.height / this.trace.height;
    context.fillStyle = styled("--scan");
    this.trace.step_HW.forEach((row, y) => row.forEach((at, x) => {
      if (at === step) context.fillRect(x * pixel, y * pixel, pixel, pixel);
    }));
  }

  close() {
    this.watcher.disconnect();
  }
}
