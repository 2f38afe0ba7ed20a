"""Error of each network with its interval: the study at one look."""

from __future__ import annotations

from linewise.analysis import Summary
from linewise.analysis.intervals import Interval
from linewise.report.charts.chart import Chart, Looks, log_scale, make

ROW = 30


def accuracy_chart(summary: Summary, looks: Looks) -> Chart | None:
    """Dots and whiskers on a logarithmic axis of error; labels give the accuracy."""
    import altair as alt

    split = summary.evidence.split
    rows = []
    for network in summary.networks:
        interval: Interval | None = getattr(network, split)
        if interval is None:
            continue
        floor = 0.5 / interval.num_images  # an error of 0 has no place on a logarithmic axis
        rows.append(
            {
                "network": network.label,
                "family": network.family,
                "error": max(100 * (1 - interval.estimate), 100 * floor),
                "low": max(100 * (1 - interval.high), 100 * floor),
                "high": max(100 * (1 - interval.low), 100 * floor),
                "text": f"{100 * interval.estimate:.2f} %",
                "n": f"{interval.num_seeds} × {interval.num_images:,}",
            }
        )
    if not rows:
        return None
    y = alt.Y("network:N", title=None, sort=alt.EncodingSortField("error", order="ascending"))
    scale, ticks = log_scale(
        [row["low"] for row in rows] + [row["high"] * 1.15 for row in rows]
    )  # room for labels
    title = f"{split} error, % (logarithmic; lower is better)"
    x = alt.X(
        "error:Q",
        scale=scale,
        title=title,
        axis=alt.Axis(values=ticks, format="~g"),
    )
    tooltip = [
        alt.Tooltip("network:N"),
        alt.Tooltip("family:N"),
        alt.Tooltip("text:N", title="accuracy"),
        alt.Tooltip("low:Q", title="error from, %", format=".3g"),
        alt.Tooltip("high:Q", title="to, %", format=".3g"),
        alt.Tooltip("n:N", title="seeds × images"),
    ]
    colour = looks.colour().legend(None)
    base = alt.Chart(alt.Data(values=rows))
    whiskers = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", title=title), x2="high:Q", y=y, color=colour, tooltip=tooltip
    )
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x, y=y, color=colour, shape=looks.shape().legend(None), tooltip=tooltip
    )
    labels = base.mark_text(align="left", dx=8, fontSize=12, color="#26303a").encode(
        x=alt.X("high:Q"), y=y, text="text:N"
    )
    return make(
        "accuracy",
        f"{split.capitalize()} error of each network with its 95 % interval; the labels give the accuracy.",
        alt.layer(whiskers, dots, labels),
        width=620,
        height=ROW * len(rows),
    )
