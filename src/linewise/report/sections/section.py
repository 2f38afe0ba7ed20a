"""What a section of the page is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from linewise.report.charts.chart import Chart


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        id: its anchor in the page and its key in `results.json`.
        title: heading.
        short: its name in the navigation.
        data: what `templates/sections/<id>.html` shows.
        charts: drawn in the page and saved as figures.
        json: plain data for other programs.
    """

    id: str
    title: str
    short: str
    data: Any
    charts: list[Chart] = field(default_factory=list)
    json: dict[str, Any] = field(default_factory=dict)

    @property
    def template(self) -> str:
        return f"sections/{self.id}.html"
