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
