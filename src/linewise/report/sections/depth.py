"""How far must one read?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from linewise.analysis import Summary
from linewise.analysis.depth import Depth
from linewise.analysis.intervals import Interval
from linewise.report.charts.chart import Looks
from linewise.report.charts.depth import RIGHT, WRONG, classes_chart, knowledge_charts, turns_chart
from linewise.report.films import REST, pair_films
from linewise.report.galleries import Shown, told
from linewise.report.pictures import Pictures
from linewise.report.sections.section import Section

LISTED = 12


def section(summary: Summary, looks: Looks, pictures: Pictures | None) -> Section | None:
    """Curves, classes, confusions in time and film strips; None where no network answers after each step."""
    found = summary.depth
    if found is None:
        return None
    names = summary.evidence.spec.data.shown_names
    turns = turns_chart(found, names)
    charts = [*knowledge_charts(found, looks), classes_chart(found, names, looks), *([turns] if turns else [])]
    data = {
        "depth": found,
        "charts": {chart.name: chart for chart in charts},
        "films": pair_films(summary, found, pictures),
        "colours": {"right": RIGHT, "wrong": WRONG, "rest": REST},
        "deepest": _ranked(summary, found, pictures, -1),
        "shallowest": _ranked(summary, found, pictures, 1),
    }
    return Section(
        "depth",
        "How far must one read?",
        "Depth",
        data,
        charts,
        _json(found, summary.evidence.spec.data.class_names),
    )


def _ranked(summary: Summary, found: Depth, pictures: Pictures | None, sign: int) -> list[Shown]:
    """Images of the page that need most, or least, of the reading; the mean over all readers and seeds."""
    if pictures is None or found.split != "test":
        return []
    names = summary.evidence.spec.data.shown_names
    share_G = found.share_N[pictures.indices_G]
    shown = []
    for place in np.argsort(sign * share_G, kind="stable")[:LISTED].tolist():
        name = names[int(pictures.labels_G[place])]
        votes = [f"{100 * share_G[place]:.0f} % read"]
        shown.append(Shown(pictures.position(place), name, name, [name, *votes], told(pictures, place, names)))
    return shown


def _json(found: Depth, names: list[str]) -> dict[str, Any]:
    return {
        "split": found.split,
        "read_along": found.read_along,
        "main": found.main.label,
        "readers": {
            reader.label: {
                "num_steps": reader.num_steps,
                **{key: _plain(getattr(reader, key)) for key in ("depth", "inked", "share", "right", "wrong")},
                "classes": {names[k]: _plain(interval) for k, interval in enumerate(reader.classes)},
                "curve": [
                    {"step": p.step, "accuracy": asdict(p.accuracy), "settled": p.settled} for p in reader.curve
                ],
            }
            for reader in found.readers
        },
        "pairs": [
            {
                "classes": [names[pair.first], names[pair.second]],
                "num_confused": pair.num_confused,
                "num_lost": pair.num_lost,
                "num_wrong_at_once": pair.num_wrong_at_once,
                "num_right_at_once": pair.num_right_at_once,
                "steps": found.main.kept_T.tolist(),
                "to_right": pair.to_right_T.tolist(),
                "to_wrong": pair.to_wrong_T.tolist(),
            }
            for pair in found.pairs
        ],
    }


def _plain(interval: Interval | None) -> dict[str, Any] | None:
    return asdict(interval) if interval else None
