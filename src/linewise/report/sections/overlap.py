"""Do they make different mistakes?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from linewise.analysis import Summary
from linewise.analysis.overlap import ClassPairs, Ensembles, Overlap
from linewise.analysis.overlap.class_pairs import LEAST_IMAGES, ClassPair
from linewise.report.charts.chart import Looks
from linewise.report.charts.differences import gains_chart, pairs_chart
from linewise.report.charts.overlap import kind_title, kinds_chart, networks_chart
from linewise.report.galleries import MOST_PAIRS, class_pairs_shown
from linewise.report.pictures import Pictures
from linewise.report.sections.section import Section


def section(summary: Summary, looks: Looks, pictures: Pictures | None) -> Section | None:
    """Overlap of mistakes, ensembles and pairs of classes; None unless both families have answers."""
    found, together, pairs = summary.overlap, summary.ensembles, summary.class_pairs
    if found is None or together is None or pairs is None:
        return None
    names = summary.evidence.spec.data.shown_names
    charts = {
        "kinds": kinds_chart(found) if found.num_hard else None,
        "networks": networks_chart(found) if found.num_hard else None,
        "gains": gains_chart(together),
        "pairs": pairs_chart(pairs, names),
    }
    data = {
        "overlap": found,
        "kinds": [(kind_title(kind), kind) for kind in found.kinds],
        "ensembles": together,
        "num_tested": pairs.num_tested,
        "covers_seeds": any(pair.difference.covers_seeds for pair in pairs.unordered),
        "least_images": LEAST_IMAGES,
        "pairs": class_pairs_shown(summary.evidence, pairs.unordered[:MOST_PAIRS], pictures),
        "charts": charts,
    }
    return Section(
        "overlap",
        "Do they make different mistakes?",
        "Overlap",
        data,
        [chart for chart in charts.values() if chart],
        _json(found, together, pairs, summary.evidence.spec.data.class_names),
    )


def _json(found: Overlap, together: Ensembles, pairs: ClassPairs, names: list[str]) -> dict[str, Any]:
    matrix = [[None if value != value else float(value) for value in row] for row in found.equal_GG]
    tests = {"networks": found.networks, "families": found.families}
    return {
        "verdict": found.verdict,
        "sentence": found.sentence,
        "of_families": found.of_families,
        "compared": {"recurrent": found.recurrent, "convolutional": found.convolutional},
        "num_hard": found.num_hard,
        "num_images": found.num_images,
        "split": found.split,
        "gap": asdict(found.gap) if found.gap else None,
        "tests": {name: _test(test) if test else None for name, test in tests.items()},
        "kinds": [asdict(kind) for kind in found.kinds],
        "networks": {"labels": found.labels, "kappa": matrix},
        "ensembles": asdict(together),
        "class_pairs": {
            "ordered": [_pair(pair, names) for pair in pairs.ordered],
            "unordered": [_pair(pair, names) for pair in pairs.unordered],
        },
    }


def _test(test: Any) -> dict[str, Any]:
    """A test that cannot reach significance has no p-value."""
    within = [None if value != value else value for value in test.within]
    p = test.p if test.decidable else None
    return {**asdict(test), "within": within, "p": p, "significant": test.significant}


def _pair(pair: ClassPair, names: list[str]) -> dict[str, Any]:
    named = {"first": names[pair.first], "second": names[pair.second]}
    return {**asdict(pair), **named, "significant": pair.significant}
