"""Differences with their intervals, one row each, around zero."""

from __future__ import annotations

from typing import Any

from linewise.analysis.intervals import Interval
from linewise.analysis.overlap import ClassPairs, Ensembles
from linewise.report.charts.chart import CONVOLUTIONAL, INK, LETTER_WIDTH, RECURRENT, Chart, make
from linewise.report.charts.confusions import shorten

MOST_PAIRS = 12
ROW = 30
"""Pixels of a row."""
NEUTRAL = "#5b6773"


def gains_chart(found: Ensembles) -> Chart | None:
    """What a pair of one of each family gains over two seeds of one network."""
    sides = [(found.recurrent, found.over_recurrent), (found.convolutional, found.over_convolutional)]
    rows = [_row(f"over two seeds of {label}", gain, NEUTRAL, True) for label, gain in sides if gain]
    if not rows:
        return None
    caption = (
        f"Accuracy that {found.recurrent} and {found.convolutional} together gain over two seeds of one network, "
        "with 95 % intervals. Two networks answer by the mean of their probabilities."
    )
    return _chart("ensemble-gains", caption, rows, "points gained by one of each family", height=64)


def pairs_chart(pairs: ClassPairs, names: list[str]) -> Chart | None:
    """The pairs of classes on which the families differ most; filled where it stands after the correction."""
    shown = [pair for pair in pairs.unordered if pair.p is not None][:MOST_PAIRS]
    if not shown:
        return None
    rows = [
        _row(
            f"{shorten(names[pair.first])} – {shorten(names[pair.second])}",
            pair.difference,
            RECURRENT[0] if pair.difference.estimate > 0 else CONVOLUTIONAL[0],
            pair.significant,
        )
        for pair in shown
    ]
    caption = (
        "Pairs of classes, each taken for the other: share of their images that recurrent networks confuse minus "
        "share that convolutional ones do, with 95 % intervals, the largest differences first. A filled dot is a "
        f"difference that stands after correction for all {pairs.num_tested} pairs tested."
    )
    title = "← convolutional networks confuse more · points · recurrent ones do →"
    return _chart("class-pair-differences", caption, rows, title)


def _row(name: str, interval: Interval, colour: str, filled: bool) -> dict[str, Any]:
    return {
        "name": name,
        "value": 100 * interval.estimate,
        "low": 100 * interval.low,
        "high": 100 * interval.high,
        "colour": colour,
        "fill": colour if filled else "#ffffff",
        "interval": f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f}",
        "n": f"{interval.num_images:,} images, {interval.num_seeds} runs or more of each",
    }


def _chart(name: str, caption: str, rows: list[dict[str, Any]], title: str, height: int = ROW) -> Chart:
    import altair as alt

    names = [row["name"] for row in rows]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=360)),
        tooltip=[
            alt.Tooltip("name:N", title=" "),
            alt.Tooltip("value:Q", title="points", format="+.2f"),
            alt.Tooltip("interval:N", title="95 % interval"),
            "n:N",
        ],
    )
    axis = alt.Axis(labelExpr="format(datum.value, '+.3~f')", tickCount=7)
    zero = (
        alt.Chart(alt.Data(values=[{"value": 0}])).mark_rule(color="#9aa5b1", strokeWidth=1.5).encode(x="value:Q")
    )
    whiskers = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", title=title, axis=axis, scale=alt.Scale(padding=14)),
        x2="high:Q",
        color=alt.Color("colour:N", scale=None),
    )
    dots = base.mark_point(size=85, opacity=1, strokeWidth=2).encode(
        x="value:Q", stroke=alt.Stroke("colour:N", scale=None), fill=alt.Fill("fill:N", scale=None)
    )
    labels = base.mark_text(dy=-11, fontSize=11, color=INK).encode(
        x="value:Q", text=alt.Text("value:Q", format="+.2f")
    )
    layers = [zero, whiskers, dots] + ([labels] if len(rows) <= 3 else [])
    least = round(240 + LETTER_WIDTH * min(52, max(map(len, names))))
    return make(name, caption, alt.layer(*layers), width=620, height=height * len(rows), least=least)
