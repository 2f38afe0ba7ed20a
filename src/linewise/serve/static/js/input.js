// What the network is to read: the pad, files, the clipboard, examples.

import { h, fill } from "./dom.js";
import { Pad } from "./draw.js";
import { fromBase64, fromFile, hearPictures } from "./sources.js";

export class Input {
  constructor(context, { onLift }) {
    Object.assign(this, { context, session: context.session, onLift, model: null });
    this.pad = new Pad({ onChange: (at) => this.drawn(at), onLift, label: "Pad to draw on with mouse, finger or pen; examples below work with the keyboard" });
    this.file = h("input", { type: "file", accept: "image/*", id: "file", className: "unseen", onchange: () => this.chosen() });
    this.undo = h("button", { type: "button", onclick: () => this.takeBack() }, "Undo");
    this.clear = h("button", { type: "button", onclick: () => this.session.clear() }, "Clear");
    this.about = h("p", { className: "note" });
    this.centre = h("input", { type: "checkbox", checked: true, onchange: () => this.recentre() });
    this.centreLabel = h("label", { className: "check" }, this.centre, " Centre and scale pictures as the training images were");
    this.examples = h("div", { className: "card examples", hidden: true });
    this.element = h("div", { className: "input" }, this.pad.element,
      h("div", { className: "tools" }, this.clear, this.undo, h("label", { className: "button", for: "file" }, "Choose picture", this.file)),
      this.about, this.centreLabel);
  }

  enter() {
    this.stop = hearPictures(document.body, (file) => this.bring(file));
  }

  leave() {
    this.stop?.();
  }

  show({ model, picture }, changed) {
    if (this.model !== model) this.fit(model);
    if (changed.has("theme")) this.pad.paint();
    if (changed.has("picture") || changed.has("view")) this.follow(picture, changed.has("view"));
    this.undo.disabled = this.pad.empty;
    this.clear.disabled = !picture;
    this.centreLabel.hidden = model.channels !== 1 || !picture || picture.from === "pad";
  }

  /** Follow what other views or the buttons brought. */
  follow(picture, entered) {
    if (!picture) this.pad.clear();
    else if (picture.from === "pad") {
      if (entered || this.pad.lines !== picture.lines) this.pad.show(picture.lines);
    } else if (this.pad.under !== picture.bitmap) this.pad.showPicture(picture.bitmap);
    this.centre.checked = picture?.drawn ?? true;
  }

  fit(model) {
    this.model = model;
    const colour = model.channels === 3;
    this.pad.setColours(colour);
    this.pad.paint();
    this.pad.hint.textContent = colour ? "Drop a photo, or draw" : "Draw here";
    this.about.textContent = colour
      ? `${model.name} reads colour photos: drop or paste one anywhere. It knows ${list(model.class_names)}.`
      : `You can also drop or paste a picture anywhere. ${model.name} knows ${list(model.class_names)}.`;
    this.loadExamples(model);
  }

  async loadExamples(model) {
    this.examples.hidden = true;
    let found;
    try {
      found = await this.session.examples(model);
    } catch (error) {
      return this.context.warn(error.message);
    }
    if (this.model !== model || !found.length) return;
    if (!this.session.state.picture && !this.welcomed) this.take();
    this.welcomed = true;
    this.examples.hidden = false;
    const buttons = found.map((example) => this.exampleButton(example));
    const of = (hard) => buttons.filter((_, i) => found[i].hard === hard);
    fill(this.examples, h("h2", {}, "Examples to press"), h("div", { className: "thumbs" }, of(false)),
      of(true).length ? [h("h2", {}, "Hard ones"), h("div", { className: "thumbs" }, of(true))] : []);
  }

  exampleButton(example) {
    const canvas = h("canvas", { "aria-hidden": "true" });
    fromBase64(example.image).then((bitmap) => {
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
    });
    const name = `Example: ${example.label}${example.hard ? ", often taken for something else" : ""}`;
    return h("button", { type: "button", className: "thumb", "aria-label": name, title: name, onclick: () => this.take(example) }, canvas);
  }

  /** Show an example; none named: one to begin with. */
  async take(example) {
    await this.session.openExample(example);
    this.onLift();
  }

  drawn(at) {
    if (this.pad.empty) return this.session.clear();
    this.session.open({ data: this.pad.picture(), drawn: true, from: "pad", lines: this.pad.lines, at });
  }

  takeBack() {
    this.pad.undo();
    this.onLift();
  }

  chosen() {
    const [file] = this.file.files;
    this.file.value = "";
    if (file) this.bring(file);
  }

  async bring(file) {
    const at = performance.now();
    try {
      const { data, bitmap } = await fromFile(file);
      const { height, width, channels } = this.session.state.model;
      const ready = bitmap.height === height && bitmap.width === width;
      this.session.open({ data, drawn: channels === 1 && !ready, from: "file", name: file.name, bitmap, at });
      this.onLift();
    } catch (error) {
      this.context.warn(error.message);
    }
  }

  recentre() {
    const { picture } = this.session.state;
    this.session.open({ ...picture, drawn: this.centre.checked, at: performance.now() });
  }
}

function list(names) {
  if (names.length <= 12 && names.join("").length === names.length) return `${names[0]} to ${names.at(-1)}`;
  return names.length <= 12 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : `${names.length} classes, such as ${names.slice(0, 5).join(", ")}`;
}
