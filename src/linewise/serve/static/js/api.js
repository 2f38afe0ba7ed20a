// The server's answers, and asking so that the last stroke wins.

/** Ask the server. Throws an Error that says what is wrong in the server's own words. */
export async function ask(path, { body, signal, method } = {}) {
  const options = body === undefined ? { method } : {
    method: method ?? "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
  };
  let response;
  try {
    response = await fetch(path, { ...options, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  if (response.ok) return response.json();
  const told = await response.json().catch(() => ({}));
  const wait = Number(response.headers.get("Retry-After"));
  const error = new Error([told.title, told.detail].filter(Boolean).join(": ") || `The server said ${response.status}.`);
  error.busy = response.status === 503;
  error.waitMs = error.busy ? 1000 * (wait || 1) : 0;
  throw error;
}

/** Read one picture: what the network made of it, step by step. */
export async function read(model, picture, gates, signal) {
  const body = { model, image: picture.data, drawn: picture.drawn, gates };
  return ask("/v1/read", { body, signal });
}

/**
 * One request at a time; of those that come meanwhile only the newest is kept. An answer is shown unless a newer
 * one was, so a line being drawn is answered all along and the last stroke always wins.
 */
export class Latest {
  constructor({ run, done, failed, patienceMs = 400 }) {
    Object.assign(this, { run, done, failed, patienceMs });
    this.flight = null;
    this.waiting = null;
  }

  send(job) {
    if (!this.flight) return this.start(job);
    this.waiting = job;
    if (performance.now() - this.flight.since > this.patienceMs) this.flight.control.abort();
  }

  /** Forget what is asked and what waits. */
  cancel() {
    this.waiting = null;
    this.flight?.control.abort();
    this.flight = null;
  }

  async start(job) {
    const flight = { control: new AbortController(), since: performance.now() };
    this.flight = flight;
    try {
      const answer = await this.run(job, flight.control.signal);
      if (this.flight === flight) this.done(answer, job);
    } catch (error) {
      if (this.flight === flight && error.name !== "AbortError") {
        if (error.busy && !this.waiting) await this.wait(error.waitMs, flight, job);
        else if (!this.waiting) this.failed(error);
      }
    }
    if (this.flight !== flight) return;
    this.flight = null;
    const next = this.waiting;
    this.waiting = null;
    if (next) this.start(next);
  }

  /** The server is full: ask again when it said, unless something newer waits by then. */
  async wait(ms, flight, job) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (this.flight === flight) this.waiting ??= job;
  }
}
