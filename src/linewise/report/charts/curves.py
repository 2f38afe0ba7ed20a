"""Learning curves: means over seeds, with bands from the lowest to the highest seed."""

from __future__ import annotations

import statistics
from typing import Any

from linewise.analysis import Summary
from linewise.report.charts.chart import Chart, Looks, log_scale, make

CURVES = {
    "validation_error": "validation error, %",
    "train_error": "training error, %",
    "validation_loss": "validation loss, nats",
    "train_loss": "training loss, nats",
}
FLOOR = 1e-4


def curve_charts(summary: Summary, looks: Looks) -> list[Chart]:
    """One chart per quantity, each on a logarithmic axis."""
    rows = _rows(summary)
    return [_chart(name, title, rows, looks) for name, title in CURVES.items()] if rows else []


def _rows(summary: Summary) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for network in summary.evidence.networks:
        if network.spec.name == "majority":
            continue  # learns nothing
        tables = [run.epochs() for run in network.runs]
        for number in sorted({e.epoch for table in tables for e in table}):
            epochs = [e for table in tables for e in table if e.epoch == number]
            found = {
                "validation_error": [100 * (1 - e.validation_accuracy) for e in epochs],
                "train_error": [100 * (1 - e.train_accuracy) for e in epochs],
                "validation_loss": [e.validation_loss for e in epochs],
                "train_loss": [e.train_loss for e in epochs],
            }
            row: dict[str, Any] = {"network": network.label, "epoch": number, "seeds": len(epochs)}
            for name, values in found.items():
                row[name] = max(FLOOR, statistics.fmean(values))
                row[f"{name}_low"], row[f"{name}_high"] = max(FLOOR, min(values)), max(FLOOR, max(values))
            rows.append(row)
    return rows


def _chart(name: str, title: str, rows: list[dict[str, Any]], looks: Looks) -> Chart:
    import altair as alt

    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d"))
    )
    scale, ticks = log_scale([row[f"{name}_{end}"] for row in rows for end in ("low", "high")])
    stroke = {"symbolType": "stroke", "symbolOpacity": 1, "symbolSize": 260}
    tooltip = ["network:N", "epoch:Q", alt.Tooltip(f"{name}:Q", title=title, format=".4g"), "seeds:Q"]
    bands = base.mark_area(opacity=0.15).encode(
        y=alt.Y(f"{name}_low:Q", scale=scale, title=title), y2=f"{name}_high:Q", color=looks.colour(**stroke)
    )
    lines = base.mark_line(point={"size": 28}, strokeWidth=2).encode(
        y=alt.Y(f"{name}:Q", scale=scale, title=title, axis=alt.Axis(values=ticks, format="~g")),
        color=looks.colour(**stroke),
        strokeDash=looks.dash(**stroke),
        tooltip=tooltip,
    )
    when = "as a running mean over each epoch" if name.startswith("train") else "after each epoch"
    caption = f"{title[0].upper()}{title[1:]}, {when}: mean over seeds, band from lowest to highest seed."
    return make(f"curve-{name.replace('_', '-')}", caption, alt.layer(bands, lines))
