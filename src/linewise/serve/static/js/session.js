// The picture that is shown, the network that reads it, and what it made of it.

import { Latest, ask, read } from "./api.js";
import { fromBase64 } from "./sources.js";
import { Store } from "./store.js";
import { understand } from "./trace.js";

/**
 * State: `model` (of /v1/page), `picture` ({ data, drawn, from, name, bitmap, at } or null), `trace` (see trace.js, or
 * null), `step` (from 1; 0 without steps), `unit` (of the hidden state), `latency` (ms from the pen to the answer).
 */
export class Session {
  constructor(models, warn) {
    this.models = models;
    this.store = new Store({ model: models[0], picture: null, trace: null, step: 0, unit: 0, latency: null });
    this.wantsGates = false;
    this.follow = true;
    this.latest = new Latest({
      run: ({ model, picture, gates }, signal) => read(model.name, picture, gates, signal),
      done: (answer, job) => { warn(); this.arrive(answer, job); },
      failed: (error) => warn(error.message),
    });
  }

  get state() {
    return this.store.state;
  }

  /** Another network reads the same picture. */
  choose(name) {
    const model = this.models.find((each) => each.name === name);
    if (!model || model === this.state.model) return;
    this.latest.cancel();
    const fits = model.channels === this.state.model.channels;
    this.store.set({ model, trace: null, step: 0, unit: 0, latency: null, ...(fits ? {} : { picture: null }) });
    this.again();
  }

  /** Show a picture to the network. `at`: when the hand moved, for the time it took. */
  open(picture) {
    this.store.set({ picture: { at: performance.now(), ...picture }, latency: null });
    this.again();
  }

  /** Examples for a model, easy ones first; asked for once. */
  examples(model) {
    this.known ??= new Map();
    if (!this.known.has(model)) {
      const asked = ask(`v1/examples?model=${encodeURIComponent(model.name)}`).then((found) => found.examples);
      asked.catch(() => this.known.delete(model));
      this.known.set(model, asked);
    }
    return this.known.get(model);
  }

  /** Show one of them; without a name the fifth, which is a 4 where there are digits: readers change their minds there. */
  async openExample(example) {
    const found = example ?? (await this.examples(this.state.model)).slice(0, 5).at(-1);
    if (!found) return;
    const at = performance.now();
    const bitmap = await fromBase64(found.image);
    if (!example && this.state.picture) return; // a hand was quicker
    this.open({ data: found.image, drawn: found.drawn, from: "example", name: found.label, bitmap, at });
  }

  /** Show a picture of the study's records to a network, exactly as it is. */
  async openTest(name, { image, true: label }) {
    const bitmap = await fromBase64(image);
    const model = this.models.find((each) => each.name === name);
    this.choose(name);
    if (this.state.model === model) this.open({ data: image, drawn: false, from: "example", name: label, bitmap });
  }

  /** One more network to choose, or the same name anew. */
  learn(model) {
    this.models = [...this.models.filter((each) => each.name !== model.name), model];
    this.store.set({ models: this.models });
  }

  /** No picture. */
  clear() {
    this.latest.cancel();
    this.store.set({ picture: null, trace: null, step: 0, latency: null });
  }

  /** Ask anew about the same picture, such as for its gates. */
  again() {
    const { model, picture } = this.state;
    if (picture) this.latest.send({ model, picture, gates: this.wantsGates });
  }

  /** Whether gates are wanted; asked for at once where they are missing. */
  wantGates(wanted) {
    this.wantsGates = wanted;
    const { trace, picture } = this.state;
    if (wanted && picture && trace && !trace.asked_gates) this.again();
  }

  arrive(answer, { picture, gates }) {
    const trace = { ...understand(answer.trace), asked_gates: gates, directions: answer.directions, compute_ms: answer.compute_ms };
    const last = trace.num_steps ?? 0;
    const again = picture === this.shown;
    this.shown = picture;
    const step = again ? Math.min(this.state.step || last, last) : last;
    const units = trace.hidden_TU?.[0].length ?? 0;
    const unit = this.state.unit < units && this.state.unit ? this.state.unit : liveliest(trace);
    this.store.set({ trace, step, unit });
    if (this.wantsGates && !gates) this.again();
    if (again) return;
    requestAnimationFrame(() => this.store.set({ latency: performance.now() - picture.at }));
  }

  /** Go to a step. */
  go(step) {
    const last = this.state.trace?.num_steps;
    if (last) this.store.set({ step: Math.max(1, Math.min(last, step)) });
  }
}

/** The unit of the hidden state that changes most while reading. */
function liveliest({ hidden_TU }) {
  if (!hidden_TU) return 0;
  const moved_U = hidden_TU[0].map((_, u) => hidden_TU.reduce((sum, row, t) => sum + (t ? Math.abs(row[u] - hidden_TU[t - 1][u]) : 0), 0));
  return moved_U.indexOf(Math.max(...moved_U));
}
