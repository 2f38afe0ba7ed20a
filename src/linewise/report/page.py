"""The page: sections in order, each from the summary, put into one template."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from linewise.analysis import Summary
from linewise.analysis.calibration import Calibration, calibration
from linewise.analysis.confusion import Pair, confusion, recalls, worst_pairs
from linewise.analysis.mistakes import mistakes
from linewise.foundations.amounts import write_amount
from linewise.foundations.version import version
from linewise.report.charts.chart import Chart
from linewise.report.pictures import Pictures

EXPOSE = "window.vegaEmbed = vegaEmbed;"
MOST_PAIRS, IMAGES_PER_PAIR, IMAGES_PER_LIST = 6, 8, 24


def render(
    summary: Summary,
    charts: list[Chart],
    confusions: dict[str, Chart],
    calibrations: dict[str, Calibration],
    pictures: Pictures | None,
) -> str:
    """The whole page as one HTML text without any address outside itself."""
    import jinja2
    import vl_convert

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("linewise.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(percent=_percent, amount=write_amount, json=script_json, slug=_slug)
    evidence = summary.evidence
    by_name = {chart.name: chart for chart in charts}
    bundle = (
        vl_convert.javascript_bundle(EXPOSE, vl_version=schema_version(charts)) if charts or confusions else ""
    )
    return environment.get_template("page.html").render(
        summary=summary,
        spec=evidence.spec,
        split=evidence.split,
        charts=by_name,
        curves=[c for c in charts if c.name.startswith("curve-")],
        costs=[c for c in charts if c.name.startswith("cost-")],
        confusions=confusions,
        calibrations=calibrations,
        specs={c.name: c.for_page() for c in [*charts, *confusions.values()]},
        names=evidence.spec.data.class_names,
        pairs=_pairs(summary, pictures),
        lists=_lists(summary, pictures),
        recall=_recall(summary),
        pictures=pictures,
        environment=_environment(summary),
        openings=evidence.folder.openings(),
        check=evidence.spec.data.check,
        bundle=re.sub(r"</(?=script)", r"<\\/", bundle, flags=re.IGNORECASE),
        version=version(),
    )


def schema_version(charts: list[Chart]) -> str | None:
    """The Vega-Lite version that the charts were written for, as vl-convert names it."""
    for chart in charts:
        if match := re.search(r"/v(\d+)\.(\d+)", chart.spec.get("$schema", "")):
            return f"v{match[1]}_{match[2]}"
    return None


def script_json(value: Any) -> Any:
    """JSON that is inert inside a script element, whatever strings it holds."""
    import markupsafe

    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return markupsafe.Markup(text)


def network_calibrations(summary: Summary) -> dict[str, Calibration]:
    """Calibration of every network that has answers, by label."""
    evidence = summary.evidence
    found = {network.label: network.answers(evidence.split) for network in evidence.networks}
    return {label: calibration(answers) for label, answers in found.items() if answers}


def _pairs(summary: Summary, pictures: Pictures | None) -> dict[str, list[dict[str, Any]]]:
    """The most-confused pairs of each family with some of the images."""
    evidence, found = summary.evidence, {}
    for family in ("recurrent", "convolutional"):
        answers = [a for network in evidence.family(family) for a in network.answers(evidence.split)]
        if answers:
            labels = [n.label for n in evidence.family(family)]
            worst = worst_pairs(confusion(answers, len(evidence.spec.data.class_names)), MOST_PAIRS)
            found[family] = [{"pair": pair, "places": _images_of(pair, labels, pictures)} for pair in worst]
    return found


def _images_of(pair: Pair, labels: list[str], pictures: Pictures | None) -> list[int]:
    """Places of images behind a pair, those that most runs of these networks confuse first."""
    if pictures is None:
        return []
    of_family_R = np.array([run in labels for run in pictures.runs])
    votes_G = (pictures.answers_GR[:, of_family_R] == pair.predicted).sum(axis=1) * (
        pictures.labels_G == pair.true
    )
    return [int(place) for place in np.argsort(-votes_G, kind="stable")[:IMAGES_PER_PAIR] if votes_G[place]]


def _lists(summary: Summary, pictures: Pictures | None) -> list[dict[str, Any]] | None:
    found = mistakes(summary.evidence)
    if found is None or pictures is None:
        return None
    titles = {
        "only_recurrent": "Only the recurrent networks get these wrong",
        "only_convolutional": "Only the convolutional networks get these wrong",
        "both": "Both families get these wrong",
    }
    lists = []
    for name, title in titles.items():
        indices = getattr(found, name)
        places = [pictures.places[int(i)] for i in indices if int(i) in pictures.places][:IMAGES_PER_LIST]
        lists.append({"id": name.replace("_", "-"), "title": title, "count": len(indices), "places": places})
    return lists


def _recall(summary: Summary) -> dict[str, list[float | None]]:
    evidence, found = summary.evidence, {}
    for network in evidence.networks:
        if answers := network.answers(evidence.split):
            recall_K = recalls(confusion(answers, len(evidence.spec.data.class_names)))
            found[network.label] = [None if np.isnan(r) else float(r) for r in recall_K]
    return found


def _environment(summary: Summary) -> list[tuple[str, str]]:
    runs = [run.record.environment for network in summary.evidence.networks for run in network.runs]
    if not runs:
        return []
    fields = {
        "processor": "processor", "cores": "cores", "threads": "threads per run", "system": "system",
        "python": "Python", "torch": "torch", "numpy": "NumPy", "linewise": "Linewise", "guarantee": "guarantee",
    }  # fmt: skip
    return [
        (title, ", ".join(dict.fromkeys(str(getattr(run, name)) for run in runs)))
        for name, title in fields.items()
    ]


def _percent(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)
