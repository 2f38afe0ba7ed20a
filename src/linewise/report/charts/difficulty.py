"""Measures of difficulty against each other, and accuracy on the easy and on the hard images."""

from __future__ import annotations

from typing import Any

from linewise.analysis.difficulty.correlations import Correlations
from linewise.analysis.difficulty.measures import MEASURES
from linewise.analysis.difficulty.parts import PartOfImages
from linewise.analysis.intervals import Interval
from linewise.report.charts.chart import CONVOLUTIONAL, INK, RECURRENT, Chart, accuracy_axis, log_scale, make

STEP, ROW = 74, 34
"""Pixels of a cell, and of a row."""


def correlations_chart(found: Correlations) -> Chart | None:
    """Rank correlations as a heat map with numbers; None for one measure."""
    import altair as alt

    used = [name for name in MEASURES if any(name in (pair.first, pair.second) for pair in found.pairs)]
    if len(used) < 2:
        return None
    titles = [MEASURES[name] for name in used]
    rows = [
        {
            "one": MEASURES[pair.second],
            "other": MEASURES[pair.first],
            "rho": round(pair.value.estimate, 4),
            "text": f"{pair.value.estimate:.2f}",
            "interval": f"{pair.value.low:.2f} to {pair.value.high:.2f}",
        }
        for pair in found.pairs
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "other:N", sort=titles, title=None, scale=alt.Scale(domain=titles),
            axis=alt.Axis(labelAngle=-35, labelLimit=220),
        ),
        y=alt.Y("one:N", sort=titles, title=None, scale=alt.Scale(domain=titles), axis=alt.Axis(labelLimit=220)),
        tooltip=[
            alt.Tooltip("one:N"), alt.Tooltip("other:N"), alt.Tooltip("text:N", title="Spearman's ρ"),
            alt.Tooltip("interval:N", title="95 % interval"),
        ],
    )  # fmt: skip
    colour = alt.Color(
        "rho:Q",
        scale=alt.Scale(domain=[-1, 0, 1], range=["#b84f00", "#ffffff", "#0a5a8f"], interpolate="rgb"),
        legend=None,
    )
    cells = base.mark_rect(stroke="#ffffff").encode(color=colour)
    ink = alt.condition("abs(datum.rho) > 0.55", alt.value("#ffffff"), alt.value(INK))
    numbers = base.mark_text(fontSize=14, fontWeight=600, dy=-6, aria=False).encode(text="text:N", color=ink)
    ranges = base.mark_text(fontSize=10, dy=11, aria=False).encode(text="interval:N", color=ink)
    chart = alt.layer(cells, numbers, ranges).properties(width=alt.Step(STEP))
    images = found.pairs[0].value.num_images
    how = (
        "The two measures come from different seeds; on the diagonal: how well a measure repeats on other seeds."
        if found.crossed
        else "Both measures come from the same runs, whose chance they share: with two seeds they would not."
    )
    caption = f"Spearman's rank correlation over {images:,} validation images, with 95 % intervals. {how}"
    made = make("difficulty-correlations", caption, chart, width=None, height=None)
    made.spec["height"] = {"step": STEP * 0.72}
    return made


def parts_chart(parts: list[PartOfImages], split: str) -> Chart | None:
    """Dots and whiskers, logarithmic in the error."""
    import altair as alt

    rows = [_row(part, family, interval) for part in parts for family, interval in part.accuracy.items()]
    if not rows:
        return None
    names = list(dict.fromkeys(row["name"] for row in rows))
    scale, ticks = log_scale([row[end] for row in rows for end in ("low", "high")], reverse=True)
    scale.padding = 26  # pixels: half a label
    hue = alt.Color(
        "family:N",
        scale=alt.Scale(domain=["recurrent", "convolutional"], range=[RECURRENT[0], CONVOLUTIONAL[0]]),
        legend=None,
    )
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=260)),
        color=hue,
        tooltip=[
            "name:N", alt.Tooltip("text:N", title="accuracy"),
            alt.Tooltip("interval:N", title="95 % interval"), "n:N",
        ],
    )  # fmt: skip
    axis = accuracy_axis(ticks)
    title = f"{split} accuracy, % (logarithmic in the error)"
    whiskers = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", scale=scale, axis=axis, title=title), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=85, opacity=1).encode(x=alt.X("error:Q", scale=scale))
    labels = base.mark_text(dy=-11, fontSize=12, fontWeight=600).encode(
        x=alt.X("error:Q", scale=scale), text="text:N", color=alt.value(INK)
    )
    caption = (
        "Accuracy on the easy images, which no run of one half of the seeds gets wrong, and on the hard ones, "
        "which some run does; measured by the runs of the other half, both ways, with 95 % intervals."
    )
    chart = alt.layer(whiskers, dots, labels)
    return make("difficulty-parts", caption, chart, width=620, height=(ROW + 8) * len(rows), least=400)


def _row(part: PartOfImages, family: str, interval: Interval) -> dict[str, Any]:
    floor = 50 / interval.num_images  # percent: no error has no place on a logarithmic axis
    return {
        "name": f"{part.name} images, {family}",
        "family": family,
        "error": max(100 * (1 - interval.estimate), floor),
        "low": max(100 * (1 - interval.high), floor),
        "high": max(100 * (1 - interval.low), floor),
        "text": f"{100 * interval.estimate:.2f} %",
        "interval": f"{100 * interval.low:.2f} to {100 * interval.high:.2f} %",
        "n": " and ".join(f"{count:,}" for count in part.num_images) + " images",
    }
