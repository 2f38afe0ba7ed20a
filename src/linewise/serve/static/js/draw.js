// The drawing pad: lines of a mouse, finger or pen, kept as lines so that they can be taken back.

import { h } from "./dom.js";
import { styled } from "./colours.js";

const SIDE = 280;
const PEN = 22; // as thick beside the pad as MNIST's lines are beside their images
const COLOURS = ["#1b1f24", "#d0342c", "#e69f00", "#2f8f4e", "#0072b2", "#8a5a2b", "#9aa3ab"];

/** A square to draw on. `onChange(eventTime)` hears of each stretch of line, `onLift()` of its end. */
export class Pad {
  constructor({ onChange, onLift = () => {}, colours = false, label = "Draw here" }) {
    Object.assign(this, { onChange, onLift, lines: [], under: null, colours, colour: COLOURS[0] });
    this.canvas = h("canvas", { className: "pad", width: SIDE, height: SIDE, role: "img", "aria-label": label });
    this.hint = h("span", { className: "pad-hint", "aria-hidden": "true" }, "Draw here");
    this.palette = h("div", { className: "pens", role: "group", "aria-label": "Colour of the pen" });
    this.element = h("div", { className: "pad-box" }, this.canvas, this.hint, this.palette);
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.along(event));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, (event) => this.up(event));
    this.setColours(colours);
    this.paint();
  }

  get empty() {
    return !this.lines.length;
  }

  /** Whether lines have colours: for networks that read colour. */
  setColours(colours) {
    this.colours = colours;
    this.palette.hidden = !colours;
    this.palette.replaceChildren(...(colours ? COLOURS.map((colour) => this.pen(colour)) : []));
  }

  pen(colour) {
    const button = h("button", { type: "button", className: "pen", "aria-label": `Pen ${colour}`, "aria-pressed": String(colour === this.colour) });
    button.style.background = colour;
    button.addEventListener("click", () => {
      this.colour = colour;
      for (const each of this.palette.children) each.setAttribute("aria-pressed", String(each === button));
    });
    return button;
  }

  down(event) {
    if (event.button || this.pointer !== undefined) return;
    event.preventDefault();
    document.activeElement?.blur(); // keys are no longer for what was being typed
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture?.(event.pointerId);
    this.under = null;
    this.lines.push({ colour: this.colour, points: [this.point(event)] });
    this.changed(event);
  }

  along(event) {
    if (event.pointerId !== this.pointer) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const each of between.length ? between : [event]) this.lines.at(-1).points.push(this.point(each));
    this.changed(event);
  }

  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = undefined;
    this.onLift();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  }

  changed(event) {
    this.paint();
    this.onChange(event?.timeStamp || performance.now());
  }

  /** Take the last line back. */
  undo() {
    this.lines.pop();
    this.changed();
  }

  clear() {
    this.lines = [];
    this.under = null;
    this.paint();
  }

  /** Go on with lines that were drawn on another pad. */
  show(lines) {
    this.lines = lines;
    this.under = null;
    this.paint();
  }

  /** Show a picture instead of lines; the next line begins a new drawing. */
  showPicture(image) {
    this.lines = [];
    this.under = image;
    this.paint();
  }

  /** Draw lines, or the picture, in the colours of the page. */
  paint() {
    this.hint.hidden = Boolean(this.lines.length);
    this.hint.classList.toggle("under", Boolean(this.under));
    const context = this.canvas.getContext("2d");
    context.fillStyle = this.colours ? "#ffffff" : styled("--pad") || "#ffffff";
    context.fillRect(0, 0, SIDE, SIDE);
    if (this.under) fit(context, this.under);
    else trail(context, this.lines, this.colours ? null : styled("--ink") || "#1b1f24");
  }

  /** The drawing as a PNG in base64: black, or in its colours, on white. */
  picture() {
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = SIDE;
    const context = sheet.getContext("2d");
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, SIDE, SIDE);
    trail(context, this.lines, this.colours ? null : "#000000");
    return sheet.toDataURL("image/png").split(",")[1];
  }
}

function fit(context, image) {
  const factor = Math.min(SIDE / image.width, SIDE / image.height);
  const [width, height] = [image.width * factor, image.height * factor];
  context.imageSmoothingEnabled = factor < 2;
  context.drawImage(image, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
}

/** Round lines through the middles between points; a point alone is a dot. */
function trail(context, lines, ink) {
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  for (const { colour, points } of lines) {
    context.strokeStyle = ink ?? colour;
    context.beginPath();
    context.moveTo(...points[0]);
    for (let i = 1; i < points.length - 1; i++) {
      const [[x, y], [nextX, nextY]] = [points[i], points[i + 1]];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    }
    const [x, y] = points.at(-1);
    context.lineTo(points.length === 1 ? x + 0.01 : x, y);
    context.stroke();
  }
}
