"""Sections of the page that a study has only where its records tell of them; one file each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from linewise.analysis import Summary
from linewise.report.charts.chart import Looks
from linewise.report.pictures import Pictures
from linewise.report.sections.depth import section as depth
from linewise.report.sections.difficulty import section as difficulty
from linewise.report.sections.overlap import section as overlap
from linewise.report.sections.panel import section as panel
from linewise.report.sections.section import Section
from linewise.report.sections.speed import section as speed
from linewise.report.sections.tuning import section as tuning

SECTIONS: tuple[Callable[[Summary, Looks, Pictures | None], Section | None], ...] = (
    panel,
    tuning,
    speed,
    overlap,
    difficulty,
    depth,
)
"""In the order of the page."""


def sections(summary: Summary, looks: Looks, pictures: Pictures | None) -> Iterator[Section]:
    """Those that this study has."""
    return (found for make in SECTIONS if (found := make(summary, looks, pictures)) is not None)
