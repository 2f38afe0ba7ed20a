"use strict";
(() => {
  const read = (id) => { const e = document.getElementById(id); return e ? JSON.parse(e.textContent) : null; };
  const specs = read("specs"), names = read("class-names"), data = read("pictures-data");
  const form = document.getElementById("chooser"), cell = document.getElementById("cell");
  const MOST = 60;

  const make = (tag, text) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; return e; };

  // "test image 18, true class 3; answers: lstm 3 3 5; cnn 3 3 3"
  const told = (place) => {
    const by = new Map();
    data.runs.forEach((run, r) => by.set(run, [...(by.get(run) || []), names[data.answers[place][r]]]));
    return "test image " + data.index[place] + ", true class " + names[data.label[place]] + "; answers: " +
      [...by].map(([run, answers]) => run + " " + answers.join(" ")).join("; ");
  };

  // One image of the sheet, as the template writes them; the heading names the classes.
  const picture = (place, note) => {
    const figure = make("figure"), image = make("i"), caption = make("figcaption"), votes = make("span", note);
    const x = (place % data.columns) * data.width * data.scale, y = Math.floor(place / data.columns) * data.height * data.scale;
    figure.className = "picture";
    votes.className = "votes";
    figure.title = told(place);
    image.style.backgroundPosition = -x + "px " + -y + "px";
    image.setAttribute("role", "img");
    image.setAttribute("aria-label", told(place));
    caption.append(votes);
    figure.append(image, caption);
    return figure;
  };

  // The images of a true class that runs of a network took for a class, most votes first.
  const showCell = (network, truth, predicted) => {
    if (!cell || !data) return;
    const runs = data.runs.map((run, r) => (run === network ? r : -1)).filter((r) => r >= 0);
    const found = data.index.map((_, place) => place)
      .map((place) => [place, runs.filter((r) => data.answers[place][r] === predicted).length])
      .filter(([place, votes]) => votes && data.label[place] === truth)
      .sort((a, b) => b[1] - a[1]);
    const right = truth === predicted;
    cell.querySelector("p").textContent = network + ": " + names[truth] + (right ? " recognised" : " taken for " + names[predicted]) + ", " +
      (right ? "examples" : found.length + (found.length === 1 ? " image" : " images")) +
      (found.length > MOST ? ", showing " + MOST : "") + (found.length ? "" : ": none kept in this page");
    cell.querySelector(".pictures").replaceChildren(
      ...found.slice(0, MOST).map(([place, votes]) => picture(place, votes + "/" + runs.length + " runs")));
    cell.hidden = false;
    form.elements.network.value = network;
    form.elements.true.value = truth;
    form.elements.predicted.value = predicted;
    try { history.replaceState(null, "", "#cell=" + [network, truth, predicted].map(encodeURIComponent).join(",")); } catch { /* no history here */ }
  };

  if (form) form.addEventListener("submit", (event) => {
    event.preventDefault();
    showCell(form.elements.network.value, Number(form.elements.true.value), Number(form.elements.predicted.value));
  });

  // A cell can be addressed: #cell=NETWORK,TRUE,PREDICTED with class numbers. What names nothing here shows nothing.
  const address = location.hash.match(/^#cell=([^,]+),(\d+),(\d+)$/);
  const addressed = address && data && data.runs.find((run) =>
    [run, encodeURIComponent(run)].includes(address[1]));
  if (addressed && address[2] < names.length && address[3] < names.length) {
    showCell(addressed, Number(address[2]), Number(address[3]));
    document.getElementById("confusions").scrollIntoView();
  }

  for (const place of document.querySelectorAll(".vega")) {
    vegaEmbed(place, specs[place.dataset.chart], { actions: false, renderer: "svg" }).then(({ view }) => {
      if (!place.dataset.network) return;
      view.addEventListener("click", (event, item) => {
        if (!item || !item.datum || item.datum.t === undefined) return;
        showCell(place.dataset.network, item.datum.t, item.datum.p);
        if (cell) cell.scrollIntoView({ behavior: "smooth", block: "nearest" });
      });
    }).catch((error) => { place.textContent = "This chart cannot be drawn here: " + error.message; });
  }
})();
