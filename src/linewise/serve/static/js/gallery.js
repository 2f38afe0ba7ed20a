// Test images of a study as buttons: each opens in Read, with the network that is asked about.

import { h, percent } from "./dom.js";
import { fromBase64 } from "./sources.js";

/**
 * Pictures (see `Picture` of the server) with a line under each. `asked`: names of the networks in the order of their
 * answers; `opens`: the one that reads it when pressed; `caption(picture)`: the line under it, in parts.
 */
export function gallery(context, pictures, { asked, opens, caption }) {
  return h("ul", { className: "shots" }, pictures.map((picture) => h("li", {}, shot(context, picture, { asked, opens, caption }))));
}

function shot(context, picture, { asked, opens, caption }) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  fromBase64(picture.image).then((bitmap) => {
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
  });
  const said = asked.map((name, i) => `${name} says ${picture.answers[i]}, ${percent(picture.sure[i])} sure`).join("; ");
  const told = `Test image ${picture.index}, class ${picture.true}: ${said}. Open in Read`;
  const open = async () => {
    try {
      await context.session.openTest(opens, picture);
      context.go("read");
    } catch (error) {
      context.warn(error.message);
    }
  };
  return h("button", { type: "button", className: "shot", "aria-label": told, title: told, onclick: open }, canvas, h("span", {}, caption(picture)));
}

/** "98.75 % (95 % interval 98.51 to 98.95)". */
export function share({ estimate, low, high }) {
  return `${points(estimate)}\u00a0% (95\u00a0% interval ${points(low)} to ${points(high)})`;
}

/** A share of 1 as percent with two decimals and a true minus. */
export const points = (x) => (100 * x).toFixed(2).replace(/^-(?=0\.00$)/, "").replace("-", "−");

/** What is said beside pictures of which there are fewer than images. */
export function someOf(count, pictured, shown) {
  const images = `${count.toLocaleString("en-GB")} test image${count === 1 ? "" : "s"}`;
  if (!count) return "No test image.";
  if (!pictured) return `${images}; the study kept no picture of ${count === 1 ? "it" : "them"}.`;
  const kept = pictured === count ? `${images}, each with a picture` : `${images}; the study kept pictures of ${pictured.toLocaleString("en-GB")} of them`;
  return shown < pictured ? `${kept}. These are the first ${shown}.` : `${kept}.`;
}
