"""Error against what a network costs, on four axes."""

from __future__ import annotations

from typing import Any

from linewise.analysis import Summary
from linewise.report.charts.chart import Chart, Looks, log_scale, make

AXES = {
    "parameters": "parameters",
    "macs": "multiply-accumulates per image",
    "train_s": "training time, s (median over seeds)",
    "latency_ms_1": "time for one image, ms (median)",
}
COUNTS = ("parameters", "macs")


def cost_charts(summary: Summary, looks: Looks) -> list[Chart]:
    """One chart per axis of cost; networks without that cost (majority) are left out."""
    split = summary.evidence.split
    rows = [
        {"network": row["model"], "error": max(0.005, 100 * (1 - row[f"{split}_accuracy"])), **_costs(row)}
        for row in summary.rows()
        if row[f"{split}_accuracy"] is not None
    ]
    return [
        _chart(axis, title, shown, split, looks)
        for axis, title in AXES.items()
        if (shown := [row for row in rows if row.get(axis)])
    ]


def _costs(row: dict[str, Any]) -> dict[str, Any]:
    return {axis: row.get(axis) for axis in AXES}


def _chart(axis: str, title: str, rows: list[dict[str, Any]], split: str, looks: Looks) -> Chart:
    import altair as alt

    across, across_ticks = log_scale([row[axis] for row in rows], margin=1.6)
    up, up_ticks = log_scale([row["error"] for row in rows], margin=1.3)
    points = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=110, opacity=0.95)
        .encode(
            x=alt.X(
                f"{axis}:Q",
                title=title,
                scale=across,
                axis=alt.Axis(values=across_ticks, format="~s" if axis in COUNTS else "~g"),
            ),
            y=alt.Y(
                "error:Q",
                title=f"{split} error, %",
                scale=up,
                axis=alt.Axis(values=up_ticks, format="~g"),
            ),
            color=looks.colour(),
            shape=looks.shape(),
            tooltip=["network:N", alt.Tooltip("error:Q", format=".3g"), alt.Tooltip(f"{axis}:Q", format=",.4~g")],
        )
    )
    caption = f"{split.capitalize()} error against {title}; down and left is better. Both axes are logarithmic."
    return make(f"cost-{axis.replace('_', '-')}", caption, points)
