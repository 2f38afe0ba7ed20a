"""The report of a study, from its folder alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from linewise.foundations.atomic import write_json, write_text
from linewise.foundations.disk import watched
from linewise.foundations.errors import missing_extra
from linewise.foundations.folder import StudyFolder

if TYPE_CHECKING:
    from linewise.analysis import Summary
    from linewise.report.charts.chart import Chart
    from linewise.report.sections.section import Section


def build(study: Path, *, figures: bool = True) -> Path:
    """Make `report/index.html`, `report/figures/`, `report/results.csv`, `report/results.json`
    and `report/verdict.json`.

    Torch is not needed.

    Args:
        study: a folder that `linewise compare` wrote; it may be unfinished.
        figures: also write each chart as PNG and SVG.

    Returns:
        The path of the page.

    Raises:
        DataError: the folder holds no study, or a record is damaged.
        ConfigError: the extra `report` is not installed.
        DiskError: the disk is full or fails; the study itself is whole.
    """
    folder = StudyFolder.open(study)
    try:
        import altair  # noqa: F401
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ModuleNotFoundError as error:
        raise missing_extra(str(error.name), "report", "the report") from None
    from linewise.analysis import summarise
    from linewise.report.drawing import Drawing
    from linewise.report.results import write_results

    page = folder.report_path / "index.html"
    with watched(folder.report_path, f"the study is whole, and `linewise report {study}` makes its report"):
        with Drawing(folder.report_path / "figures") if figures else nullcontext() as drawing:
            summary = summarise(folder)
            more, text = _page(summary, drawing.add if drawing else lambda charts: None)
        write_results(summary, folder.report_path, {section.id: section.json for section in more})
        write_json(folder.report_path / "verdict.json", summary.verdicts.as_json(summary))
        write_text(page, text)
    return page


def _page(summary: Summary, draw: Callable[[Iterable[Chart]], None]) -> tuple[list[Section], str]:
    """The sections of this study, and the page; `draw` is given the charts as they come."""
    from linewise.report.charts.accuracy import accuracy_chart
    from linewise.report.charts.chart import Looks
    from linewise.report.charts.confusions import confusion_charts
    from linewise.report.charts.cost import cost_charts
    from linewise.report.charts.curves import curve_charts
    from linewise.report.charts.reliability import reliability_chart
    from linewise.report.page import network_calibrations, render
    from linewise.report.pictures import pictures
    from linewise.report.sections import sections

    looks = Looks(summary)
    calibrations = network_calibrations(summary)
    shown = {k: v for k, v in calibrations.items() if k != "majority"}
    maybe = [accuracy_chart(summary, looks), reliability_chart(summary, shown, looks)]
    charts = [c for c in maybe if c is not None] + curve_charts(summary, looks) + cost_charts(summary, looks)
    draw(charts)
    confusions = confusion_charts(summary)
    draw(confusions.values())
    shown_pictures = pictures(summary.evidence)
    more = []
    for section in sections(summary, looks, shown_pictures):
        draw(section.charts)
        more.append(section)
    return more, render(summary, charts, confusions, calibrations, more, shown_pictures)
