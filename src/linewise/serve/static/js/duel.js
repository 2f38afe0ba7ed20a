// Duel: two networks on the same picture, and the test images on which they part.

import { h, fill, initial, modelOptions, percent } from "./dom.js";
import { Disagreements } from "./disagreements.js";
import { Latest } from "./api.js";
import { Input } from "./input.js";
import { costRows, answerBars } from "./contest.js";
import { top } from "./trace.js";

const TIME_AFTER_MS = 350;
const REPEATS = 25;

export function makeDuel(root, context) {
  return new Duel(root, context);
}

class Duel {
  constructor(root, context) {
    Object.assign(this, { root, context, session: context.session, models: null, answer: null });
    this.input = new Input(context, { onLift: () => {} });
    this.latest = new Latest({
      run: (job, signal) => context.ask("v1/duel", { body: job.body, signal }),
      done: (answer, job) => this.arrive(answer, job),
      failed: (error) => context.warn(error.message),
    });
    this.corners = ["First network", "Second network"].map((label, i) => this.corner(label, i));
    this.verdict = h("p", { className: "sentence verdict" });
    this.cost = h("table", { className: "cost" });
    this.note = h("p", { className: "note" });
    this.records = new Disagreements(context);
    this.empty = h("div", { className: "empty" }, "Draw on the left, or press one of the examples: both answer while you draw.");
    this.only = h("div", { className: "empty", hidden: true }, "A duel needs two networks; this server has one. Start it with two: linewise serve RUN RUN.");
    this.shown = h("div", {}, this.cost, this.note);
    fill(root, h("h1", {}, "Two networks, one picture"),
      h("p", { className: "lead" }, "Both get the same picture at the same moment: who is right, who is surer, and what does the answer cost?"),
      this.only,
      h("div", { className: "two reading" }, h("div", { className: "card" }, this.input.element),
        h("div", { className: "card result" }, this.verdict, h("div", { className: "corners" }, this.corners.map((each) => each.element)), this.empty, this.shown),
        this.input.examples),
      this.records.element);
  }

  corner(label, i) {
    const select = h("select", { "aria-label": label, onchange: () => this.choose(i, select.value) });
    const glyph = h("div", { className: "glyph", "aria-hidden": "true" });
    const sentence = h("p", { className: "says" });
    const bars = h("div", { className: "bars" });
    const sight = h("p", { className: "note" });
    const element = h("div", { className: "corner" }, select, h("div", { className: "answer" }, glyph, sentence), bars, sight);
    return { select, glyph, sentence, bars, element };
  }

  enter() {
    this.input.enter();
  }

  leave() {
    clearTimeout(this.timer);
    this.latest.cancel();
    this.input.leave();
  }

  show(state, changed) {
    this.input.show(state, changed);
    const several = this.session.models.length > 1;
    this.only.hidden = several;
    if (!several) return this.showNothing(state);
    this.pair(state.model);
    const news = ["picture", "model", "view", "models"].some((name) => changed.has(name));
    if (changed.has("models") || changed.has("view") || changed.has("model")) this.showModels();
    if (!state.picture) return this.showNothing(state);
    if (news) this.send(state.picture);
    else if (changed.has("theme")) this.showAnswer();
  }

  /** The first is the network chosen above; the second one of the other kind, until it is chosen. */
  pair(model) {
    const [first, second] = this.models ?? [];
    if (first === model && this.session.models.includes(second)) return;
    const swapped = second === model ? first : second;
    const stays = swapped && this.session.models.includes(swapped) && (this.picked || swapped.study === model.study);
    this.models = [model, stays ? swapped : opponent(model, this.session.models)];
    this.answer = null;
  }

  choose(i, name) {
    const model = this.session.models.find((each) => each.name === name);
    const swap = model === this.models[1 - i];
    if (i === 0) return this.session.choose(name); // `pair` swaps them where both would be the same
    if (swap) return this.session.choose(this.models[1].name);
    this.models = [this.models[0], model];
    this.picked = true;
    this.answer = null;
    this.showModels();
    if (this.session.state.picture) this.send(this.session.state.picture);
  }

  showModels() {
    this.corners.forEach(({ select }, i) => {
      fill(select, modelOptions(this.session.models));
      select.value = this.models[i].name;
    });
    this.records.show(this.models);
  }

  /** Ask at once; and once the hand rests, ask again with the time it takes. */
  send(picture) {
    clearTimeout(this.timer);
    const body = { models: this.models.map((model) => model.name), image: picture.data, drawn: picture.drawn };
    this.latest.send({ body });
    this.timer = setTimeout(() => this.latest.send({ body: { ...body, repeats: REPEATS } }), TIME_AFTER_MS);
  }

  arrive(answer, { body }) {
    if (body.models.some((name, i) => name !== this.models[i].name) || !this.session.state.picture) return;
    this.context.warn();
    const before = this.answer;
    this.answer = answer;
    if (before && !body.repeats) answer.contestants.forEach((each, i) => { each.latency = before.contestants[i].latency; });
    this.showAnswer();
    if (body.repeats) this.context.say(this.verdict.textContent);
  }

  showNothing({ picture }) {
    this.answer = null;
    this.shown.hidden = true;
    this.empty.hidden = Boolean(picture);
    this.verdict.textContent = "";
    for (const { glyph, sentence, bars } of this.corners) {
      glyph.textContent = "?";
      sentence.textContent = "";
      fill(bars);
    }
  }

  showAnswer() {
    if (!this.answer) return;
    const { contestants, threads } = this.answer;
    this.empty.hidden = true;
    this.shown.hidden = false;
    const best = contestants.map((each) => top(each.probabilities_K, each.class_names, 1)[0]);
    contestants.forEach((each, i) => {
      const { glyph, sentence, bars } = this.corners[i];
      glyph.textContent = initial(best[i].name);
      fill(sentence, h("b", {}, best[i].name), h("br"), `${percent(best[i].p)} sure`);
      fill(bars, answerBars(each));
    });
    this.root.dataset.timed = String(Boolean(contestants[0].latency));
    const same = best[0].name === best[1].name;
    fill(this.verdict, same ? ["Both say ", h("b", {}, best[0].name)]
      : [`${contestants[0].model} says `, h("b", {}, best[0].name), `, ${contestants[1].model} says `, h("b", {}, best[1].name)]);
    fill(this.cost, costRows(contestants));
    this.note.textContent = timing(contestants, threads);
  }
}

function opponent(model, models) {
  const others = models.filter((each) => each !== model);
  const wanted = model.family === "recurrent" ? "convolutional" : "recurrent";
  const mates = others.filter((each) => each.study === model.study && each.channels === model.channels);
  return mates.find((each) => each.family === wanted) ?? mates[0]
    ?? others.find((each) => each.channels === model.channels) ?? others[0];
}

function timing(contestants, threads) {
  const [first] = contestants;
  if (!first.latency) return "The time for one picture is measured when your hand rests.";
  const middle = contestants.map(({ model, latency }) => `${ms(latency.low_ms)} to ${ms(latency.high_ms)} for ${model}`).join(", ");
  return `Time: median of ${first.latency.repeats} answers of each in turn, one picture at a time, in this server on ${threads} thread${threads > 1 ? "s" : ""}; the middle half took ${middle}.`;
}

const ms = (x) => `${x < 10 ? x.toFixed(2) : x.toFixed(0)}\u00a0ms`;
