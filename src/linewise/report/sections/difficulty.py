"""Which images are easy?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from linewise.analysis import Summary
from linewise.analysis.difficulty import Difficulty
from linewise.analysis.difficulty.measures import MEASURES
from linewise.report.charts.chart import Looks
from linewise.report.charts.difficulty import correlations_chart, parts_chart
from linewise.report.galleries import rankings_shown
from linewise.report.pictures import Pictures
from linewise.report.sections.section import Section

LISTED = 10
"""Images of each class in `results.json`."""


def section(summary: Summary, looks: Looks, pictures: Pictures | None) -> Section | None:
    """Shares, measures, accuracy on easy and hard images, and galleries; None without answers."""
    found = summary.difficulty
    if found is None:
        return None
    charts = {
        "correlations": correlations_chart(found.correlations),
        "parts": parts_chart(found.parts, found.split) if found.parts else None,
    }
    data = {
        "difficulty": found,
        "rankings": rankings_shown(summary, found, pictures),
        "num_kept": len(pictures.indices_G) if pictures else 0,
        "charts": charts,
        "measures": {MEASURES[name]: values for name, values in found.measures.items()},
        "repeats": {p.first: p.value for p in found.correlations.pairs if p.first == p.second},
    }
    return Section(
        "difficulty",
        "Which images are easy?",
        "Difficulty",
        data,
        [chart for chart in charts.values() if chart],
        _json(found, summary.evidence.spec.data.class_names),
    )


def _json(found: Difficulty, names: list[str]) -> dict[str, Any]:
    return {
        "split": found.split,
        "sentence": found.shares.sentence,
        "shares": asdict(found.shares),
        "parts": [asdict(part) for part in found.parts] if found.parts else None,
        "correlations": {
            "crossed": found.correlations.crossed,
            "pairs": [asdict(pair) for pair in found.correlations.pairs],
        },
        "means": {name: float(values.mean()) for name, values in found.measures.items()},
        "num_epochs": found.num_epochs,
        "classes": {
            names[ranking.label]: {
                "num_images": ranking.num_images,
                "num_hard": ranking.num_hard,
                "hardest": ranking.hardest[:LISTED].tolist(),
                "easiest": ranking.easiest[:LISTED].tolist(),
            }
            for ranking in found.rankings
        },
    }
