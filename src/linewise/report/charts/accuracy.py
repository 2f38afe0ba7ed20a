"""Accuracy of each network with its interval: the study at one look."""

from __future__ import annotations

from typing import Any

from linewise.analysis import Summary
from linewise.analysis.intervals import Interval
from linewise.report.charts.chart import INK, LETTER_WIDTH, Chart, Looks, accuracy_axis, log_scale, make

ROW, LABEL, PLOT = 38, 320, 220
"""Pixels: height of a network's row, what its name may take, and what the plot needs beside it."""


def accuracy_chart(summary: Summary, looks: Looks) -> Chart | None:
    """Dots and whiskers; the axis is logarithmic in the error, so that 99.3 and 99.0 % lie apart."""
    import altair as alt

    split = summary.evidence.split
    rows = [_row(n.label, n.family, i) for n in summary.networks if (i := getattr(n, split))]
    if not rows:
        return None
    order = alt.EncodingSortField("error", order="ascending")
    y = alt.Y("network:N", title=None, sort=order, axis=alt.Axis(labelLimit=LABEL))
    scale, ticks = log_scale([row[end] for row in rows for end in ("low", "high")], reverse=True)
    scale.padding = 26  # pixels: half a label
    x = alt.X(
        "error:Q",
        scale=scale,
        title=f"{split} accuracy, % (logarithmic in the error)",
        axis=accuracy_axis(ticks),
    )
    tooltip = [
        alt.Tooltip("network:N"),
        alt.Tooltip("family:N"),
        alt.Tooltip("text:N", title="accuracy"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:N", title="seeds × images"),
    ]
    colour = looks.colour().legend(None)
    base = alt.Chart(alt.Data(values=rows)).encode(y=y, tooltip=tooltip)
    whiskers = base.mark_rule(strokeWidth=2.5).encode(x=x.copy(), x2="high:Q", color=colour)
    whiskers.encoding.x.shorthand = "low:Q"
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x, color=colour, shape=looks.shape().legend(None)
    )
    labels = base.mark_text(dy=-12, fontSize=12, fontWeight=600, color=INK).encode(x=x, text="text:N")
    return make(
        "accuracy",
        f"{split.capitalize()} accuracy of each network with its 95 % interval. The axis is logarithmic in the "
        "error: from 98 to 99 % is as far as from 99 to 99.5 %.",
        alt.layer(whiskers, dots, labels),
        width=620,
        height=ROW * len(rows),
        least=round(PLOT + min(LABEL, LETTER_WIDTH * looks.letters)),
    )


def _row(label: str, family: str, interval: Interval) -> dict[str, Any]:
    floor = 50 / interval.num_images  # percent: an error of 0 has no place on a logarithmic axis
    return {
        "network": label,
        "family": family,
        "error": max(100 * (1 - interval.estimate), floor),
        "low": max(100 * (1 - interval.high), floor),
        "high": max(100 * (1 - interval.low), floor),
        "text": f"{100 * interval.estimate:.2f} %",
        "interval": f"{100 * interval.low:.2f} to {100 * interval.high:.2f} %",
        "n": f"{interval.num_seeds} × {interval.num_images:,}",
    }
