// The network that is being taught: its training as it goes, what came of it, and where it is saved.

import { h, fill } from "./dom.js";
import { styled } from "./colours.js";
import { prepare } from "./picture.js";

const EVERY_MS = 250;
const HEIGHT = 70;

export class Pupil {
  constructor(context, { start, ready, changed, open }) {
    Object.assign(this, { context, start, ready, changed, state: null });
    this.train = h("button", { type: "button", className: "main", onclick: () => this.begin() }, "Train");
    this.cancel = h("button", { type: "button", hidden: true, onclick: () => this.stop() }, "Cancel");
    this.missing = h("p", { className: "note missing" });
    this.fullness = h("i");
    this.progress = h("div", { className: "progress", role: "progressbar", "aria-label": "Training", "aria-valuemin": 0, "aria-valuemax": 100, hidden: true }, this.fullness);
    this.canvas = h("canvas", { role: "img", "aria-label": "The error on the training drawings, falling as it learns" });
    this.curve = h("figure", { className: "curve", hidden: true }, this.canvas, h("figcaption", { className: "note" }, "Error on the drawings it learns from, from the first pass to the last"));
    this.told = h("p", { className: "pupil-told" });
    this.save = h("button", { type: "button", onclick: () => this.keep() }, "Save as a run");
    const go = (view) => () => open(this.state.model, view);
    this.after = h("div", { className: "tools", hidden: true }, h("button", { type: "button", onclick: go("read") }, "Open in Read"), h("button", { type: "button", onclick: go("cell") }, "Inside its cell"), this.save);
    this.saved = h("p", { className: "note saved", hidden: true });
    this.element = h("div", { className: "card pupil" }, h("h2", {}, "The network"), h("div", { className: "tools" }, this.train, this.cancel),
      this.missing, this.progress, this.told, this.curve, this.after, this.saved);
    new ResizeObserver(() => this.paint()).observe(this.element);
  }

  get busy() {
    return ["preparing", "training"].includes(this.state?.phase) || Boolean(this.sending);
  }

  enter() {
    this.here = true;
    this.look();
  }

  leave() {
    this.here = false;
    clearTimeout(this.timer);
  }

  /** Whether training can begin; `missing` says what is wanted first. */
  allow(missing) {
    this.missing.textContent = this.busy ? "" : missing;
    this.train.disabled = this.busy || Boolean(missing);
  }

  async begin() {
    this.sending = true;
    this.changed();
    this.told.textContent = "Preparing the drawings…";
    await this.ask({ body: { classes: this.start() } });
    this.sending = false;
    this.changed();
  }

  async stop() {
    await this.ask({ method: "DELETE" });
  }

  async keep() {
    this.save.disabled = true;
    await this.ask({ body: { model: this.state.model } }, "v1/teach/save");
    this.save.disabled = Boolean(this.state?.saved);
  }

  look() {
    return this.ask({});
  }

  async ask(options, path = "v1/teach") {
    clearTimeout(this.timer);
    try {
      const state = await this.context.ask(path, options);
      this.context.warn();
      this.arrive(state);
    } catch (error) {
      this.context.warn(error.message);
      if (this.sending) this.told.textContent = "";
    }
  }

  arrive(state) {
    const before = this.state;
    this.state = state;
    const { phase } = state;
    if (this.busy && this.here) this.timer = setTimeout(() => this.look(), EVERY_MS);
    const training = phase === "training" || phase === "preparing";
    this.cancel.hidden = !training;
    this.progress.hidden = !training;
    const part = state.steps ? state.step / state.steps : 0;
    this.fullness.style.width = `${100 * part}%`;
    this.progress.setAttribute("aria-valuenow", Math.round(100 * part));
    this.train.textContent = phase === "ready" ? "Train another" : "Train";
    this.told.textContent = words(state);
    this.curve.hidden = state.losses.length < 2;
    this.after.hidden = phase !== "ready" || !state.told;
    this.save.disabled = Boolean(state.saved);
    this.saved.hidden = !state.saved;
    if (state.saved) fill(this.saved, "Saved in ", h("code", {}, state.saved), ", from where the server was started. Try it with ", h("code", {}, `linewise predict ${state.saved} IMAGE`), ".");
    this.paint();
    this.changed();
    const over = before && (before.phase !== phase || before.model !== state.model);
    if (phase === "ready" && state.told && (over || !before)) this.ready(state.told);
    if (over && !training) this.context.say(this.told.textContent);
  }

  /** The curve of the error. */
  paint() {
    const losses = this.state?.losses ?? [];
    const width = this.curve.clientWidth;
    if (this.curve.hidden || !width || losses.length < 2) return;
    const context = prepare(this.canvas, width, HEIGHT);
    const most = Math.max(...losses);
    const passes = Math.max(losses.length, this.state.phase === "ready" ? 0 : this.state.steps / Math.max(1, this.state.step / losses.length));
    const at = (loss, i) => [(i / (passes - 1)) * width, 3 + (1 - loss / most) * (HEIGHT - 6)];
    context.strokeStyle = styled("--line");
    context.strokeRect(0, HEIGHT - 1.5, width, 0);
    context.strokeStyle = styled("--blue");
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    losses.forEach((loss, i) => context[i ? "lineTo" : "moveTo"](...at(loss, i)));
    context.stroke();
  }
}

function words(state) {
  const { phase, model, num_train: seen, num_apart: kept, right, train_s: time, message, apart } = state;
  const of = (n) => `${n} drawing${n === 1 ? "" : "s"}`;
  if (phase === "preparing") return "Preparing the drawings…";
  if (phase === "training") return `Learning from ${of(seen)}, moved and turned a little each time; ${of(kept)} ${kept === 1 ? "is" : "are"} kept apart to examine it.`;
  if (phase === "stopped") return `Training was stopped. ${message}`;
  if (phase === "failed") return message;
  if (phase !== "ready") return "";
  return `${model} learned ${state.class_names.join(", ")} from ${of(seen)} in ${time.toFixed(1)} s. Of ${kept === 1 ? "the one" : `the ${kept}`} kept apart, which it never learned from, it recognised ${right}. ${doubt(apart, kept)}`;
}

function doubt(apart, kept) {
  if (!apart) return "";
  return `${kept < 30 ? "So few cannot tell much: on" : "On"} new drawings like these it may be right on ${Math.round(100 * apart.low)} to ${Math.round(100 * apart.high)}\u00a0% (95\u00a0% interval).`;
}
