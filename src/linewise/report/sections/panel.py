"""Every pair of networks, and what this study could have seen."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from linewise.analysis import Summary
from linewise.analysis.statistics.paired import Paired
from linewise.analysis.statistics.panel import Panel
from linewise.analysis.statistics.sight import Sight
from linewise.analysis.statistics.wording import chance
from linewise.report.charts.chart import Looks
from linewise.report.pictures import Pictures
from linewise.report.sections.section import Section


def section(summary: Summary, looks: Looks, pictures: Pictures | None) -> Section | None:
    """All pairs, Cochran's Q and the smallest visible difference; None with fewer than two networks."""
    panel, sight = summary.panel, summary.sight
    if not panel.pairs:
        return None
    data = {
        "panel": panel,
        "rows": [(pair, _verdict(pair)) for pair in panel.pairs],
        "num_tested": sum(pair.p is not None for pair in panel.pairs),
        "num_images": panel.pairs[0].difference.num_images,
        "missing": [n.label for n in summary.evidence.networks if n.label not in panel.labels],
        "sight": sight,
        "chance": chance,
    }
    json = _json(panel, sight, summary.evidence.split)
    return Section("panel", "Every pair of networks", "Tests", data, json=json)


def _verdict(pair: Paired) -> str:
    """With the network's name where one is better."""
    better = {"first better": pair.first, "second better": pair.second}
    return f"{better[pair.verdict]} is better" if pair.verdict in better else pair.verdict


def _json(panel: Panel, sight: Sight | None, split: str) -> dict[str, Any]:
    return {
        "split": split,
        "networks": panel.labels,
        "pairs": [{**asdict(pair), "verdict": pair.verdict, "text": pair.text} for pair in panel.pairs],
        "cochran": [asdict(test) for test in panel.cochran],
        "sight": None
        if sight is None
        else {**asdict(sight), "asked": [{"difference": size, **asdict(found)} for size, found in sight.asked]},
    }
