// Mistakes: the confusion matrix of a run; a cell opens its images, an image opens in Read.

import { h, fill, grouped, percent } from "./dom.js";
import { gallery, share, someOf } from "./gallery.js";
import { Matrix } from "./matrix.js";

const FIRST = 30;
const MOST = 100;

export function makeMistakes(root, context) {
  return new Mistakes(root, context);
}

class Mistakes {
  constructor(root, context) {
    Object.assign(this, { root, context, session: context.session, model: null, asked: 0 });
    this.sentence = h("p", { className: "detail" });
    this.why = h("p", { className: "empty", hidden: true });
    this.matrix = new Matrix({ onOpen: (cell) => this.open(cell), words: (cell) => this.words(cell) });
    this.pairs = h("ol", { className: "pairs" });
    this.title = h("h2", { tabIndex: -1 });
    this.count = h("p", { className: "note" });
    this.pictures = h("div", {});
    this.more = h("button", { type: "button", className: "more", hidden: true, onclick: () => this.open(this.matrix.at, { most: MOST }) }, "Show more");
    this.body = h("div", { className: "mistaken" },
      h("div", { className: "card of-matrix" }, h("h2", {}, "What it takes for what"), this.matrix.element),
      h("div", { className: "card of-pictures" }, this.title, this.count, this.pictures, this.more),
      h("div", { className: "card of-pairs" }, h("h2", {}, "Most frequent mistakes"), this.pairs));
    fill(root, h("h1", {}, "Which mistakes it makes"),
      h("p", { className: "lead" }, "Every test picture is counted in one square: its row is what it is, its column what the network said. Blue squares are right answers, orange ones mistakes; open one to see the pictures."),
      this.sentence, this.why, this.body);
  }

  leave() {}

  show({ model }, changed) {
    if (model !== this.model || changed.has("models")) this.load(model);
    else if (changed.has("theme") || changed.has("view")) this.matrix.paint();
  }

  async load(model) {
    this.model = model;
    const number = ++this.asked;
    let found;
    try {
      found = await this.context.ask(`v1/confusion?${new URLSearchParams({ model: model.name })}`);
    } catch (error) {
      if (number === this.asked) this.context.warn(error.message);
      return;
    }
    if (number === this.asked) this.arrive(found);
  }

  arrive(found) {
    this.found = found;
    this.why.hidden = !found.why;
    this.body.hidden = this.sentence.hidden = Boolean(found.why);
    this.why.textContent = found.why ? `${found.why} Choose another network above.` : "";
    if (found.why) return;
    const { accuracy: known, model } = found;
    const right = Math.round(known.estimate * known.num_images);
    this.sentence.textContent = `${model} was right on ${grouped(right)} of ${grouped(known.num_images)} test images: ${share(known)}; the interval speaks of this one run.`;
    this.matrix.show(found);
    fill(this.pairs, found.pairs.map((pair) => h("li", {}, h("button", { type: "button", onclick: () => this.open(pair) },
      h("span", {}, h("b", {}, found.class_names[pair.true]), " taken for ", h("b", {}, found.class_names[pair.predicted])),
      h("em", {}, `${grouped(pair.count)} (${percent(pair.rate)})`)))));
    if (!found.pairs.length) fill(this.pairs, h("li", {}, "None: it was right on every test image."));
    this.matrix.choose(found.pairs[0] ?? { true: 0, predicted: 0 });
    this.open(found.pairs[0] ?? { true: 0, predicted: 0 }, { quietly: true });
  }

  words({ true: t, predicted: p }) {
    const { class_names: names, counts_KK } = this.found;
    const [count, all] = [counts_KK[t][p], counts_KK[t].reduce((a, b) => a + b, 0)];
    const start = t === p ? `${names[t]} recognised` : `${names[t]} taken for ${names[p]}`;
    return `${start}: ${grouped(count)} of ${grouped(all)}${count ? ` (${((100 * count) / all).toFixed(1)}\u00a0%)` : ""}`;
  }

  async open({ true: t, predicted: p }, { quietly = false, most = FIRST } = {}) {
    const number = ++this.asked;
    const { class_names: names, model } = this.found;
    this.matrix.choose({ true: t, predicted: p });
    let found;
    try {
      found = await this.context.ask(`v1/gallery?${new URLSearchParams({ model, true: t, predicted: p, most })}`);
    } catch (error) {
      if (number === this.asked) this.context.warn(error.message);
      return;
    }
    if (number !== this.asked) return;
    this.title.textContent = t === p ? `${names[t]}, recognised` : `${names[t]} taken for ${names[p]}`;
    const small = found.pictures.some((picture) => !picture.exact) ? " Pictures are smaller than what the network saw." : "";
    this.count.textContent = `${found.why || someOf(found.count, found.num_pictures, found.pictures.length)}${found.pictures.length ? " The network was surest of the first ones. Press one to watch it being read." : ""}${small}`;
    fill(this.pictures, gallery(this.context, found.pictures, { asked: [model], opens: model, caption: (picture) => `${percent(picture.sure[0])} sure` }));
    this.more.hidden = found.pictures.length >= Math.min(MOST, found.num_pictures);
    if (quietly) return;
    this.context.say(`${this.title.textContent}: ${this.count.textContent}`);
    if (this.title.getBoundingClientRect().top > innerHeight - 120) this.title.scrollIntoView({ block: "start" });
  }
}
