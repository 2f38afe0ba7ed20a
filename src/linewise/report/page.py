"""The page: sections in order, each from the summary, put into one template."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version as installed
from typing import Any

import numpy as np

from linewise.analysis import Summary
from linewise.analysis.calibration import Calibration, calibration
from linewise.analysis.confusion import confusion, recalls
from linewise.foundations.amounts import write_amount
from linewise.foundations.atomic import write_text
from linewise.foundations.paths import cache_dir
from linewise.foundations.version import version
from linewise.report.charts.chart import Chart
from linewise.report.galleries import lists_shown, pairs_shown
from linewise.report.pictures import Pictures
from linewise.report.sections.section import Section

EXPOSE = "window.vegaEmbed = vegaEmbed;"
ANCHORS = ("accuracy", "pairs")
"""Places of the page itself that a claim may point to."""


def render(
    summary: Summary,
    charts: list[Chart],
    confusions: dict[str, Chart],
    calibrations: dict[str, Calibration],
    sections: list[Section],
    pictures: Pictures | None,
) -> str:
    """The whole page as one HTML text without any address outside itself."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("linewise.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(percent=_percent, miss=_miss, amount=write_amount, json=script_json, slug=_slug)
    environment.filters.update(breakable=_breakable, brief=_brief)
    evidence = summary.evidence
    by_name = {chart.name: chart for chart in charts}
    drawn = [*charts, *confusions.values(), *(chart for section in sections for chart in section.charts)]
    bundle = scripts(schema_version(drawn)) if drawn else ""
    return environment.get_template("page.html").render(
        summary=summary,
        spec=evidence.spec,
        split=evidence.split,
        charts=by_name,
        curves=[c for c in charts if c.name.startswith("curve-")],
        costs=[c for c in charts if c.name.startswith("cost-")],
        confusions=confusions,
        calibrations=calibrations,
        sections=sections,
        anchors={*ANCHORS, *(section.id for section in sections)} - ({"accuracy"} - set(by_name)),
        specs={c.name: c.for_page() for c in drawn},
        names=evidence.spec.data.shown_names,
        pairs=pairs_shown(summary, pictures),
        lists=lists_shown(summary, pictures),
        recall=_recall(summary),
        pictures=pictures,
        environment=_environment(summary),
        openings=evidence.folder.openings(),
        unlogged=evidence.folder.unlogged(),
        check=evidence.spec.data.check,
        bundle=bundle,
        version=version(),
    )


@cache
def scripts(vl_version: str | None) -> str:
    """Vega, Vega-Lite and vega-embed as one script that can stand inside a page.

    Bundling takes a second or two, so the script is kept in the user's cache, with its checksum.
    """
    import vl_convert

    asked = f"{installed('vl-convert-python')} {vl_version} {EXPOSE}"
    path = cache_dir() / "scripts" / f"vega-{sha256(asked.encode()).hexdigest()[:32]}.js"
    try:
        digest, _, kept = path.read_text(encoding="utf-8").partition("\n")
        if digest == f"// {sha256(kept.encode()).hexdigest()}":
            return kept
    except (OSError, UnicodeDecodeError):
        pass
    bundle = vl_convert.javascript_bundle(EXPOSE, vl_version=vl_version)
    script = re.sub(r"</(?=script)", r"<\\/", bundle, flags=re.IGNORECASE)
    with suppress(OSError):  # a full disk, or one that cannot be written: made again next time
        write_text(path, f"// {sha256(script.encode()).hexdigest()}\n{script}")
    return script


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
        "processor": "processor", "cores": "cores", "threads": "threads per run", "device": "device",
        "system": "system", "python": "Python", "torch": "torch", "numpy": "NumPy", "kernels": "recurrent layers",
        "linewise": "Linewise", "guarantee": "guarantee",
    }  # fmt: skip
    return [
        (title, ", ".join(dict.fromkeys(str(getattr(run, name)) for run in runs)))
        for name, title in fields.items()
    ]


def _percent(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}"


def _miss(value: float) -> str:
    """How far from the budget, in percent with a sign."""
    return f"{100 * value:+.1f} %" if abs(value) >= 0.0005 else "±0.0 %"


def _brief(number: float) -> str:
    """Three digits, or all before the point."""
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


def _breakable(label: str) -> Any:
    """The label, escaped, with places where a line may end: after its parts."""
    import markupsafe

    return markupsafe.Markup("<wbr>").join(re.split(r"(?<=[@,+_])", label))


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)
