// What the page knows, in one place; views are told when it changes.

export class Store {
  constructor(state) {
    this.state = state;
    this.listeners = new Set();
  }

  /** Change some of it; listeners get the state and the names of what changed. */
  set(changes) {
    const names = Object.keys(changes).filter((name) => this.state[name] !== changes[name]);
    if (!names.length) return;
    this.state = { ...this.state, ...changes };
    for (const listener of this.listeners) listener(this.state, new Set(names));
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
