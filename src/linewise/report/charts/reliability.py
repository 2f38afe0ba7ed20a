"""Reliability diagram: confidence against accuracy."""

from __future__ import annotations

from linewise.analysis import Summary
from linewise.analysis.calibration import Calibration
from linewise.report.charts.chart import Chart, Looks, make

LEAST = 10
"""Answers in a bin that is shown."""


def reliability_chart(summary: Summary, found: dict[str, Calibration], looks: Looks) -> Chart | None:
    """Ten bins of confidence per network; on the diagonal, confidence is what it says."""
    import altair as alt

    rows = [
        {"network": label, "confidence": 100 * b.confidence, "accuracy": 100 * b.accuracy, "images": b.count}
        for label, calibration in found.items()
        for b in calibration.bins
        if b.count >= LEAST
    ]
    if not rows:
        return None
    looks = looks.keep({row["network"] for row in rows})
    domain = alt.Scale(domain=[0, 100], nice=False)
    diagonal = (
        alt.Chart(alt.Data(values=[{"x": 0, "y": 0}, {"x": 100, "y": 100}]))
        .mark_line(color="#9aa5b1", strokeDash=[3, 3], strokeWidth=1)
        .encode(x="x:Q", y="y:Q")
    )
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("confidence:Q", title="confidence of the answer, %", scale=domain),
        y=alt.Y("accuracy:Q", title="answers that were right, %", scale=domain),
        color=looks.colour(),
        tooltip=[
            "network:N",
            alt.Tooltip("confidence:Q", format=".1f"),
            alt.Tooltip("accuracy:Q", format=".1f"),
            "images:Q",
        ],
    )
    lines = base.mark_line(strokeWidth=1.5).encode(strokeDash=looks.dash().legend(None))
    points = base.mark_point(filled=True, size=60).encode(shape=looks.shape())
    caption = (
        "Share of right answers by confidence, in ten equal bins, all seeds together; bins of under "
        f"{LEAST} answers are left out."
    )
    return make("calibration", caption, alt.layer(diagonal, lines, points), height=340, least=looks.legend_width)
