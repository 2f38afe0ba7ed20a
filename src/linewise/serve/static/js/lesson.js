// The classes of a lesson: their names, and the drawings of each.

import { h, fill } from "./dom.js";
import { fromBase64 } from "./sources.js";

const FEWEST = 3;
const MOST = 20;
const MOST_CLASSES = 10;
const NAMES = ["circle", "cross"];

export class Lesson {
  constructor({ take, changed }) {
    Object.assign(this, { take, changed, classes: [], drawn: false, free: true });
    this.list = h("div", { className: "lessons" });
    this.more = h("button", { type: "button", onclick: () => this.addClass() }, "Add a class");
    this.element = h("div", { className: "card" }, h("h2", {}, "Your classes"), this.list, this.more);
    NAMES.forEach((name) => this.lay(name));
  }

  addClass() {
    if (this.classes.length >= MOST_CLASSES) return;
    this.lay("").input.focus();
    this.changed();
  }

  lay(name) {
    const each = { name, drawings: [] };
    const input = h("input", { type: "text", value: name, maxLength: 40, placeholder: "Name of the class", autocomplete: "off", spellcheck: false,
      oninput: () => { each.name = input.value; this.tell(each); this.changed(); } });
    const button = h("button", { type: "button", className: "keep-drawing", onclick: () => this.keep(each) });
    const remove = h("button", { type: "button", className: "quiet small", onclick: () => this.removeClass(each) }, "Remove");
    const shelf = h("ul", { className: "shelf" });
    const count = h("span", { className: "note" });
    const element = h("div", { className: "lesson", role: "group" }, h("div", { className: "lesson-head" }, input, button, remove), shelf, count);
    Object.assign(each, { element, input, button, remove, shelf, count });
    this.classes.push(each);
    this.list.append(element);
    this.classes.forEach((other) => this.tell(other));
    return each;
  }

  removeClass(each) {
    const at = this.classes.indexOf(each);
    this.classes.splice(at, 1);
    each.element.remove();
    this.classes.forEach((other) => this.tell(other));
    this.changed();
    (this.classes[Math.max(0, at - 1)]?.input ?? this.more).focus();
  }

  /** Give the drawing on the pad to the class of this number, from 0. */
  add(number) {
    const each = this.classes[number];
    if (each && !each.button.disabled) this.keep(each);
  }

  keep(each) {
    if (each.drawings.length >= MOST) return;
    const drawing = this.take();
    if (!drawing) return;
    each.drawings.push(drawing);
    const canvas = h("canvas", { "aria-hidden": "true", width: 56, height: 56 });
    fromBase64(drawing).then((bitmap) => {
      const context = canvas.getContext("2d");
      context.fillStyle = "#ffffff";
      context.fillRect(0, 0, 56, 56);
      const factor = 56 / Math.max(bitmap.width, bitmap.height);
      context.imageSmoothingQuality = "high";
      context.drawImage(bitmap, 28 - (bitmap.width * factor) / 2, 28 - (bitmap.height * factor) / 2, bitmap.width * factor, bitmap.height * factor);
    });
    const drop = h("button", { type: "button", className: "drawing", onclick: () => this.drop(each, drawing, item) }, canvas, h("span", { "aria-hidden": "true" }, "×"));
    const item = h("li", {}, drop);
    each.shelf.append(item);
    this.tell(each);
    this.changed();
  }

  drop(each, drawing, item) {
    each.drawings.splice(each.drawings.indexOf(drawing), 1);
    item.remove();
    this.tell(each);
    this.changed();
    each.input.focus();
  }

  tell(each) {
    const number = this.classes.indexOf(each) + 1;
    const name = each.name.trim() || `class ${number}`;
    const n = each.drawings.length;
    each.element.setAttribute("aria-label", `Class ${number}: ${name}`);
    each.input.setAttribute("aria-label", `Name of class ${number}`);
    fill(each.button, `This is ${clip(name)}`, h("kbd", { "aria-hidden": "true" }, String(number % 10)));
    each.remove.setAttribute("aria-label", `Remove class ${number}, ${name}`);
    each.count.textContent = n < FEWEST ? `${n} of at least ${FEWEST} drawings` : n >= MOST ? `${n} drawings, which is the most` : `${n} drawings`;
    [...each.shelf.children].forEach((item, i) => {
      item.firstChild.setAttribute("aria-label", `Remove drawing ${i + 1} of ${name}`);
      item.firstChild.title = "Remove this drawing";
    });
  }

  /** Which buttons can be pressed: with something on the pad, and while nothing is trained. */
  allow(drawn) {
    for (const each of this.classes) {
      each.button.disabled = !drawn || each.drawings.length >= MOST;
      each.remove.hidden = this.classes.length <= 2;
    }
    this.more.disabled = this.classes.length >= MOST_CLASSES;
  }

  /** What is still missing before it can be trained, in a sentence; empty where nothing is. */
  missing() {
    const names = this.classes.map((each) => each.name.trim().normalize("NFC"));
    if (names.some((name) => !name)) return "Every class needs a name.";
    if (new Set(names).size < names.length) return "Two classes have the same name.";
    const few = this.classes.filter((each) => each.drawings.length < FEWEST);
    if (few.length) return `Still to draw: ${few.map((each) => `${FEWEST - each.drawings.length} of ${clip(each.name.trim())}`).join(", ")}.`;
    return "";
  }
}

const clip = (name) => ([...name].length > 18 ? `${[...name].slice(0, 17).join("")}…` : name);
