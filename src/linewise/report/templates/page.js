"use strict";
(() => {
  const read = (id) => { const e = document.getElementById(id); return e ? JSON.parse(e.textContent) : null; };
  const specs = read("specs"), names = read("class-names"), data = read("pictures-data");
  const MOST = 60;

  const make = (tag, text) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; return e; };

  // One image of the sheet, with its true class and the answers of the runs.
  const picture = (place, note) => {
    const figure = make("figure"), image = make("i"), caption = make("figcaption");
    const w = data.width * data.scale, h = data.height * data.scale;
    figure.className = "picture";
    image.style.width = w + "px"; image.style.height = h + "px";
    image.style.backgroundSize = data.columns * w + "px " + data.rows * h + "px";
    image.style.backgroundPosition = -(place % data.columns) * w + "px " + -Math.floor(place / data.columns) * h + "px";
    image.setAttribute("role", "img");
    image.setAttribute("aria-label", "test image " + data.index[place] + ", true class " + names[data.label[place]]);
    figure.title = told(place);
    caption.append(make("b", names[data.label[place]]), " " + note);
    figure.append(image, caption);
    return figure;
  };

  // "test image 18: true 3; lstm 3 3 5; cnn 3 3 3"
  const told = (place) => {
    const by = new Map();
    data.runs.forEach((run, r) => by.set(run, [...(by.get(run) || []), names[data.answers[place][r]]]));
    return "test image " + data.index[place] + ": true " + names[data.label[place]] +
      [...by].map(([run, answers]) => "; " + run + " " + answers.join(" ")).join("");
  };

  // The wrong answer most often given, and by how many runs.
  const usual = (place) => {
    const count = new Map();
    data.answers[place].forEach((k) => { if (k !== data.label[place]) count.set(k, (count.get(k) || 0) + 1); });
    const [k, n] = [...count].sort((a, b) => b[1] - a[1])[0] || [null, 0];
    return k === null ? "right" : "→ " + names[k] + " (" + n + " of " + data.runs.length + ")";
  };

  const showCell = (network, truth, predicted) => {
    const cell = document.getElementById("cell");
    if (!cell || !data) return;
    const runs = data.runs.map((run, r) => (run === network ? r : -1)).filter((r) => r >= 0);
    const found = data.index.map((_, place) => place)
      .map((place) => [place, runs.filter((r) => data.answers[place][r] === predicted).length])
      .filter(([place, votes]) => votes && data.label[place] === truth)
      .sort((a, b) => b[1] - a[1]);
    const shown = found.slice(0, MOST), right = truth === predicted;
    cell.querySelector("p").textContent = network + ": " + names[truth] + (right ? " recognised" : " taken for " + names[predicted]) + ", " +
      (right ? "examples" : found.length + (found.length === 1 ? " image" : " images")) +
      (found.length > MOST ? " (" + MOST + " shown)" : "") + (found.length ? "" : ": none kept in this page");
    cell.querySelector(".pictures").replaceChildren(...shown.map(([place, votes]) => picture(place, votes + " of " + runs.length + " runs")));
    cell.hidden = false;
    const form = document.getElementById("chooser");
    form.elements.network.value = network;
    form.elements.true.value = truth;
    form.elements.predicted.value = predicted;
  };

  for (const place of document.querySelectorAll(".pictures[data-places]")) {
    const places = place.dataset.places.split(",").filter(Boolean).map(Number);
    place.replaceChildren(...places.map((p) => picture(p, usual(p))));
  }

  const form = document.getElementById("chooser");
  if (form) form.addEventListener("submit", (event) => {
    event.preventDefault();
    showCell(form.elements.network.value, Number(form.elements.true.value), Number(form.elements.predicted.value));
  });

  // A cell can be addressed: #cell=NETWORK,TRUE,PREDICTED with class numbers.
  const address = decodeURIComponent(location.hash).match(/^#cell=(.+),(\d+),(\d+)$/);
  if (address) showCell(address[1], Number(address[2]), Number(address[3]));

  for (const place of document.querySelectorAll(".vega")) {
    vegaEmbed(place, specs[place.dataset.chart], { actions: false, renderer: "svg" }).then(({ view }) => {
      if (!place.dataset.network) return;
      view.addEventListener("click", (event, item) => {
        if (!item || !item.datum || item.datum.t === undefined) return;
        showCell(place.dataset.network, item.datum.t, item.datum.p);
        document.getElementById("cell").scrollIntoView({ behavior: "smooth", block: "nearest" });
      });
    }).catch((error) => { place.textContent = "This chart cannot be drawn here: " + error.message; });
  }
})();
