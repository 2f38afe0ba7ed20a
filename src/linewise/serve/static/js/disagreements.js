// Test images that one network recognises and the other does not, from the study's records.

import { h, fill, grouped } from "./dom.js";
import { gallery, points, share, someOf } from "./gallery.js";

const FIRST = 36;
const MOST = 100;

export class Disagreements {
  constructor(context) {
    Object.assign(this, { context, turned: false, asked: 0 });
    this.sentence = h("p", {});
    this.table = h("table", { className: "fourfold" });
    this.sides = h("div", { className: "sides", role: "group", "aria-label": "Who is right" });
    this.count = h("p", { className: "note" });
    this.pictures = h("div", {});
    this.more = h("button", { type: "button", className: "more", hidden: true, onclick: () => this.ask(MOST) }, "Show more");
    this.known = h("div", { className: "known" }, h("div", {}, this.sentence), this.table);
    this.rest = h("div", {}, this.sides, this.count, this.pictures, this.more);
    this.why = h("p", { className: "note", hidden: true });
    this.element = h("div", { className: "card" }, h("h2", {}, "Where they part, on the whole test set"), this.why, this.known, this.rest);
  }

  show(models) {
    this.models = models;
    this.turned = false;
    this.ask();
  }

  async ask(most = FIRST) {
    const number = ++this.asked;
    const [right, wrong] = this.turned ? [...this.models].reverse() : this.models;
    const query = new URLSearchParams({ right: right.name, wrong: wrong.name, most });
    try {
      const found = await this.context.ask(`v1/disagreements?${query}`);
      if (number === this.asked) this.arrive(found, right, wrong);
    } catch (error) {
      if (number === this.asked) this.context.warn(error.message);
    }
  }

  arrive(found, right, wrong) {
    this.why.hidden = !found.why;
    this.why.textContent = found.why;
    this.known.hidden = this.rest.hidden = Boolean(found.why);
    if (found.why) return;
    const first = this.turned ? { ...found, right: found.wrong, wrong: found.right, only_right: found.only_wrong, only_wrong: found.only_right } : found;
    const [a, b] = this.models.map((model) => model.name);
    this.sentence.textContent = `${a} is right on ${share(first.right)} of ${grouped(found.num_images)} test images, ${b} on ${share(first.wrong)}. ${apart(found, right, wrong)}`;
    fill(this.table, fourfold(first, a, b));
    fill(this.sides, [[false, a, b, first.only_right], [true, b, a, first.only_wrong]].map(([turned, yes, no, count]) => h("button", {
      type: "button", "aria-pressed": String(turned === this.turned), onclick: () => { this.turned = turned; this.ask(); },
    }, `${yes} right, ${no} wrong: ${grouped(count)}`)));
    this.count.textContent = `${someOf(found.only_right, found.num_pictures, found.pictures.length)}${found.pictures.length ? ` Press one to watch ${wrong.name} go wrong.` : ""}`;
    this.more.hidden = found.pictures.length >= Math.min(MOST, found.num_pictures);
    fill(this.pictures, gallery(this.context, found.pictures, { asked: [right.name, wrong.name], opens: wrong.name, caption: (picture) => [h("b", {}, picture.true), ` not ${picture.answers[1]}`] }));
  }
}

/** How far apart, and whether that is shown. */
function apart({ difference: d }, right, wrong) {
  const gap = `${points(Math.abs(d.estimate))} points`;
  const shown = d.low > 0 || d.high < 0;
  const sure = [d.low, d.high].map((x) => (d.estimate < 0 ? -x : x)).sort((x, y) => x - y);
  const interval = `95\u00a0% interval ${points(sure[0])} to ${points(sure[1])}`;
  if (!shown) return `They are ${gap} apart (${interval}): no difference is shown.`;
  return `${d.estimate > 0 ? right.name : wrong.name} is ahead by ${gap} (${interval}), for these two runs on images like these.`;
}

function fourfold({ both_right, only_right, only_wrong, both_wrong }, a, b) {
  const cell = (count) => h("td", {}, grouped(count));
  return [h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, `${b} right`), h("th", { scope: "col" }, `${b} wrong`))),
    h("tbody", {}, h("tr", {}, h("th", { scope: "row" }, `${a} right`), cell(both_right), cell(only_right)),
      h("tr", {}, h("th", { scope: "row" }, `${a} wrong`), cell(only_wrong), cell(both_wrong)))];
}
