// Elements without markup: nothing a user or a model names is ever read as HTML.

/** An element. Properties that are functions listen (`onclick`); `class`, `aria-…` and `data-…` become attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-") && name !== "list") element[name] = value;
    else element.setAttribute(name === "className" ? "class" : name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Options of a select for models of /v1/page, by study where there are several. */
export function modelOptions(models) {
  const groups = new Map();
  for (const model of models) groups.set(model.study, [...(groups.get(model.study) ?? []), model]);
  const short = (model) => (model.study && model.name.startsWith(`${model.study}:`) ? model.name.slice(model.study.length + 1) : model.name);
  const option = (model) => h("option", { value: model.name }, groups.size < 2 ? model.name : short(model));
  if (groups.size < 2) return models.map(option);
  return [...groups].map(([study, those]) => h("optgroup", { label: study || "runs" }, those.map(option)));
}

/** A row of a bar chart: name, bar, probability. */
export function bar({ name, p, strong = false }) {
  const full = h("i");
  full.style.width = `${100 * p}%`;
  return h("div", { className: strong ? "bar strong" : "bar" }, h("span", {}, name), h("b", {}, full), h("em", {}, percent(p)));
}

/** What stands in the large square for an answer: a short name, or the first letter of a long one. */
export function initial(name) {
  const letters = [...name];
  return letters.length > 2 ? letters[0].toUpperCase() : name;
}

/** 12,345. */
export const grouped = (n) => n.toLocaleString("en-GB");

/** A probability as people say it: 99.2 %, <0.1 %. */
export function percent(p) {
  if (p < 0.001) return "<0.1\u00a0%"; // no network is ever wholly sure
  if (p > 0.999) return ">99.9\u00a0%";
  return `${(100 * p).toFixed(p >= 0.995 || p < 0.1 ? 1 : 0)}\u00a0%`;
}

/** A number with a true minus, two decimals. */
export function number(x, digits = 2) {
  const text = Math.abs(x).toFixed(digits);
  return x < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** "row" where steps are rows of the image, else "step". */
export const stepWord = (trace) => (trace.aligned ? "row" : "step");

export const wantsLessMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
