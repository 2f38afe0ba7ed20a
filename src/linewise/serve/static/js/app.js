// The shell: the views and their addresses, the network that reads, light and dark.

import { ask } from "./api.js";
import { h, fill, modelOptions } from "./dom.js";
import { Session } from "./session.js";
import { VIEWS } from "./views.js";

const place = (id) => document.getElementById(id);

/** What a view is given beside its place: the session, and ways to speak and to go elsewhere. */
function contextOf(session, page) {
  return {
    session,
    teach: page.teach,
    ask,
    go: (name) => { location.hash = `#${name}`; },
    say: (text) => { place("said").textContent = text; },
    warn,
  };
}

/** Tell what went wrong, above the view; nothing: all is well again. */
function warn(text = "") {
  place("notice").textContent = text;
  place("notice").hidden = !text;
}

async function start() {
  hearTheme();
  let page;
  try {
    page = await ask("v1/page");
  } catch (error) {
    warn(error.message);
    return;
  }
  const session = new Session(page.models, warn);
  const context = contextOf(session, page);
  chooseModels(session);
  new Router(context).start();
}

function chooseModels(session) {
  const select = place("model");
  select.addEventListener("change", () => session.choose(select.value));
  const follow = (state, changed) => {
    if (changed.has("models")) fill(select, modelOptions(session.models));
    select.value = state.model.name;
  };
  session.store.listen(follow);
  follow(session.state, new Set(["models"]));
}

/** One view at a time, by the address after `#`. A view mounts once; it is told to show and to leave. */
class Router {
  constructor(context) {
    Object.assign(this, { context, current: null, mounted: new Map() });
    this.links = VIEWS.map((view) => h("a", { href: `#${view.name}` }, view.title));
    fill(place("tabs"), this.links);
    context.session.store.listen((state, changed) => this.current?.show(state, changed));
    document.addEventListener("themechange", () => this.current?.show(this.context.session.state, new Set(["theme"])));
    window.addEventListener("hashchange", () => this.go());
  }

  start() {
    if (!VIEWS.some((view) => view.name === this.asked())) history.replaceState(null, "", `#${VIEWS[0].name}`);
    this.go();
  }

  asked() {
    return location.hash.slice(1).split("?")[0];
  }

  go() {
    const view = VIEWS.find(({ name }) => name === this.asked()) ?? VIEWS[0];
    this.current?.leave();
    this.links.forEach((link, i) => {
      if (VIEWS[i] === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    if (!this.mounted.has(view)) {
      const root = h("div", { className: `view view-${view.name}` });
      this.mounted.set(view, { root, module: view.make(root, this.context) });
    }
    const { root, module } = this.mounted.get(view);
    fill(place("view"), root);
    document.title = `${view.title} · Linewise`;
    this.current = module;
    module.enter?.();
    module.show(this.context.session.state, new Set(["view"]));
  }
}

/** Dark or light: as the system has it until a button says otherwise; remembered on this machine. */
function hearTheme() {
  const button = place("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const stored = localStorage.getItem("theme");
  if (stored === "dark" || stored === "light") root.dataset.theme = stored;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const tell = () => {
    button.setAttribute("aria-pressed", String(dark()));
    document.dispatchEvent(new Event("themechange"));
  };
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    tell();
  });
  system.addEventListener("change", tell);
  tell();
}

start();
