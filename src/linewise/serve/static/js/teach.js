// Teach: a visitor's own classes, drawn a few times, learned by a small LSTM while they wait.

import { Latest, read } from "./api.js";
import { bar, h, fill, initial, percent } from "./dom.js";
import { Pad } from "./draw.js";
import { Lesson } from "./lesson.js";
import { Pupil } from "./pupil.js";
import { fromBase64, fromFile, hearPictures } from "./sources.js";
import { top } from "./trace.js";

const SIDE = 280;

export function makeTeach(root, context) {
  return new Teach(root, context);
}

class Teach {
  constructor(root, context) {
    Object.assign(this, { root, context, session: context.session, picture: null, model: null });
    this.pad = new Pad({ onChange: () => this.drawn(), label: "Pad to draw on with mouse, finger or pen; pictures can be chosen with the keyboard" });
    this.lesson = new Lesson({ take: () => this.take(), changed: () => this.follow() });
    this.pupil = new Pupil(context, { start: () => this.start(), ready: (model) => this.ready(model), changed: () => this.follow(), open: (name, view) => this.open(name, view) });
    this.undo = h("button", { type: "button", onclick: () => this.pad.undo() }, "Undo");
    this.clear = h("button", { type: "button", onclick: () => this.wipe() }, "Clear");
    this.file = h("input", { type: "file", accept: "image/*", id: "teach-file", className: "unseen", onchange: () => this.chosen() });
    this.glyph = h("div", { className: "glyph", "aria-hidden": "true" });
    this.sentence = h("p", { className: "says" });
    this.bars = h("div", { className: "bars" });
    this.answer = h("div", { className: "trial", hidden: true }, h("h2", {}, "What it says"), h("div", { className: "answer" }, this.glyph, this.sentence), this.bars);
    this.latest = new Latest({
      run: ({ model, picture }, signal) => read(model, { data: picture, drawn: true }, false, signal),
      done: ({ trace }) => this.tell(trace),
      failed: (error) => context.warn(error.message),
    });
    const pad = h("div", { className: "card" }, this.pad.element,
      h("div", { className: "tools" }, this.clear, this.undo, h("label", { className: "button", for: "teach-file" }, "Choose picture", this.file)),
      h("p", { className: "note" }, "Draw a sign, then press the class it belongs to (or its number on the keyboard). Drawings go to this server only."), this.answer);
    const off = h("p", { className: "empty" }, "Teaching is switched off on this server. Start it without --no-teach to use this view.");
    fill(root, h("h1", {}, "Teach it your own signs"),
      h("p", { className: "lead" }, "Name two classes or more, draw each at least three times, and a small LSTM learns to tell them apart while you wait: the same training as anywhere else, on your drawings."),
      context.teach ? h("div", { className: "two" }, pad, h("div", {}, this.lesson.element, this.pupil.element)) : off);
    this.hear = (event) => this.key(event);
    this.follow();
  }

  enter() {
    if (!this.context.teach) return;
    document.addEventListener("keydown", this.hear);
    this.hearing = hearPictures(document.body, (file) => this.bring(file));
    this.pupil.enter();
  }

  leave() {
    document.removeEventListener("keydown", this.hear);
    this.hearing?.();
    this.latest.cancel();
    this.pupil.leave();
  }

  show(state, changed) {
    if (changed.has("theme")) this.pad.paint();
    if (changed.has("theme") || changed.has("view")) this.pupil.paint();
  }

  key(event) {
    if (event.target.matches?.("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!/^[0-9]$/.test(event.key)) return;
    this.lesson.add((Number(event.key) + 9) % 10);
  }

  drawn() {
    this.picture = this.pad.empty ? null : this.pad.picture();
    this.follow();
    this.ask();
  }

  wipe() {
    this.pad.clear();
    this.picture = null;
    this.follow();
    this.ask();
  }

  /** The drawing, for a class; the pad is empty again. */
  take() {
    const { picture } = this;
    if (picture) this.wipe();
    return picture;
  }

  chosen() {
    const [file] = this.file.files;
    this.file.value = "";
    if (file) this.bring(file);
  }

  async bring(file) {
    try {
      const { bitmap } = await fromFile(file);
      this.context.warn();
      this.pad.showPicture(bitmap);
      this.picture = small(bitmap);
      this.follow();
      this.ask();
    } catch (error) {
      this.context.warn(error.message);
    }
  }

  /** Go and watch it read what is on the pad, or else the first of the drawings. */
  async open(name, view) {
    const { session } = this.context;
    const data = this.picture ?? this.lesson.classes.flatMap((each) => each.drawings)[0];
    const source = this.picture && !this.pad.empty ? { from: "pad", lines: this.pad.lines } : data && { from: "file", bitmap: await fromBase64(data) };
    session.choose(name);
    if (data) session.open({ data, drawn: true, ...source });
    this.context.go(view);
  }

  /** Buttons as the pad and the classes allow. */
  follow() {
    this.undo.disabled = this.pad.empty;
    this.clear.disabled = !this.picture;
    this.lesson.allow(Boolean(this.picture), !this.pupil.busy);
    this.pupil.allow(this.lesson.missing());
  }

  start() {
    return this.lesson.classes.map(({ name, drawings }) => ({ name: name.trim(), images: drawings }));
  }

  ready(model) {
    this.model = model;
    if (model) this.session.learn(model);
    this.ask();
  }

  /** What the taught network makes of the pad. */
  ask() {
    this.answer.hidden = !this.model;
    if (!this.model) return;
    if (this.picture) return this.latest.send({ model: this.model.name, picture: this.picture });
    this.latest.cancel();
    this.glyph.textContent = "?";
    fill(this.sentence, `Draw to try ${this.model.name}.`);
    fill(this.bars);
  }

  tell({ probabilities_K: p_K, class_names: names }) {
    const [best] = top(p_K, names, 1);
    this.glyph.textContent = initial(best.name);
    fill(this.sentence, h("b", {}, best.name), h("br"), `${percent(best.p)} sure`);
    fill(this.bars, names.map((name, k) => bar({ name, p: p_K[k], strong: k === best.k })));
  }
}

/** A picture no larger than the pad, on white, as a PNG in base64. */
function small(bitmap) {
  const factor = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const sheet = document.createElement("canvas");
  sheet.width = Math.max(1, Math.round(bitmap.width * factor));
  sheet.height = Math.max(1, Math.round(bitmap.height * factor));
  const context = sheet.getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, sheet.width, sheet.height);
  return sheet.toDataURL("image/png").split(",")[1];
}
