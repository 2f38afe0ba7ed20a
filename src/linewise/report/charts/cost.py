"""Accuracy against what a network costs, on five axes."""

from __future__ import annotations

from typing import Any

from linewise.analysis import Summary
from linewise.report.charts.chart import Chart, Looks, accuracy_axis, log_scale, make

AXES = {
    "parameters": "parameters",
    "macs": "multiply-accumulates per image",
    "train_s": "training time, s (median over seeds)",
    "latency_ms_1": "time for one image alone, ms (median)",
    "latency_ms_1000": "time for a batch of 1,000, ms (median)",
}
COUNTS = ("parameters", "macs")


def cost_charts(summary: Summary, looks: Looks) -> list[Chart]:
    """One chart per axis of cost; networks without parameters (majority) cost nothing and are left out."""
    split = summary.evidence.split
    rows = [
        {
            "network": row["model"],
            "error": max(0.005, 100 * (1 - row[f"{split}_accuracy"])),
            "accuracy": f"{100 * row[f'{split}_accuracy']:.2f} %",
            **_costs(row),
        }
        for row in summary.rows()
        if row[f"{split}_accuracy"] is not None and row["parameters"]
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
    up, up_ticks = log_scale([row["error"] for row in rows], margin=1.3, reverse=True)
    looks = looks.keep({row["network"] for row in rows})
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
                title=f"{split} accuracy, %",
                scale=up,
                axis=accuracy_axis(up_ticks),
            ),
            color=looks.colour(),
            shape=looks.shape(),
            tooltip=["network:N", "accuracy:N", alt.Tooltip(f"{axis}:Q", title=title, format=",.4~g")],
        )
    )
    caption = f"{split.capitalize()} accuracy against {title}; up and left is better. Both axes are logarithmic."
    return make(f"cost-{axis.replace('_', '-')}", caption, points, least=looks.legend_width)
