"""How settings were chosen before the final runs."""

from __future__ import annotations

from linewise.analysis import Summary
from linewise.foundations.tuning import Dial
from linewise.report.charts.chart import Looks
from linewise.report.charts.tuning import trials_chart
from linewise.report.pictures import Pictures
from linewise.report.sections.section import Section


def section(summary: Summary, looks: Looks, pictures: Pictures | None) -> Section | None:
    """Trials, choices, importances and spaces; None where nothing was tuned."""
    tuning = summary.tuning
    if tuning is None:
        return None
    chart = trials_chart(tuning, looks)
    spaces = {
        family: {name: " or ".join(map(_range, ranges)) for name, ranges in dials.items()}
        for family, dials in tuning.spaces.items()
    }
    data = {"tuning": tuning, "spaces": spaces, "chart": chart}
    record = tuning.record
    json = {
        "complete": record.complete,
        "total_s": record.total_s,
        **record.model_dump(mode="json", exclude={"schema_version", "data_fingerprint"}),
    }
    return Section("tuning", "How settings were chosen", "Tuning", data, [chart] if chart else [], json)


def _range(dial: Dial) -> str:
    return f"{dial.low:g} to {dial.high:g}{' (logarithmic)' if dial.log else ''}"
