"""Learning curves: means over seeds, with bands from the lowest to the highest seed."""

from __future__ import annotations

import statistics
from typing import Any

from linewise.analysis import Summary
from linewise.report.charts.chart import Chart, Looks, accuracy_axis, log_scale, make, whole_ticks

CURVES = {
    "validation_accuracy": "validation accuracy, %",
    "train_accuracy": "training accuracy, %",
    "validation_loss": "validation loss, nats",
    "train_loss": "training loss, nats",
}
LEAST_LOSS = 1e-4
"""A loss of 0 has no place on a logarithmic axis."""


def curve_charts(summary: Summary, looks: Looks) -> list[Chart]:
    """One chart per quantity, each on a logarithmic axis; accuracies are kept as errors in percent."""
    rows = _rows(summary)
    return [_chart(name, title, rows, looks) for name, title in CURVES.items()] if rows else []


def _rows(summary: Summary) -> list[dict[str, Any]]:
    """One row per network and epoch; accuracies are held as errors in percent."""
    counts = summary.evidence.spec.data.counts
    least = {split: 50 / max(1, sum(counts.get(split, {}).values())) for split in ("train", "validation")}
    rows = []
    for network in summary.evidence.networks:
        tables = [run.epochs() for run in network.runs if network.spec.name != "majority"]  # which learns nothing
        for number in sorted({e.epoch for table in tables for e in table}):
            epochs = [e for table in tables for e in table if e.epoch == number]
            row: dict[str, Any] = {"network": network.label, "epoch": number, "seeds": len(epochs)}
            for split in ("validation", "train"):
                errors = [100 * (1 - getattr(e, f"{split}_accuracy")) for e in epochs]
                losses = [getattr(e, f"{split}_loss") for e in epochs]
                row[split] = f"{100 - statistics.fmean(errors):.2f} %"
                row |= _band(f"{split}_accuracy", errors, least[split])
                row |= _band(f"{split}_loss", losses, LEAST_LOSS)
            rows.append(row)
    return rows


def _band(name: str, values: list[float], least: float) -> dict[str, float]:
    """Mean, lowest and highest, none below what the axis can show."""
    found = {name: statistics.fmean(values), f"{name}_low": min(values), f"{name}_high": max(values)}
    return {key: max(least, value) for key, value in found.items()}


def _chart(name: str, title: str, rows: list[dict[str, Any]], looks: Looks) -> Chart:
    import altair as alt

    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("epoch:Q", title="epoch", axis=whole_ticks(max(row["epoch"] for row in rows)))
    )
    accuracy = name.endswith("accuracy")
    shown = [row[f"{name}_{end}"] for row in rows for end in ("low", "high")]
    scale, ticks = log_scale(shown, reverse=accuracy)
    axis = accuracy_axis(ticks) if accuracy else alt.Axis(values=ticks, format="~g")
    looks = looks.keep({row["network"] for row in rows})
    stroke = {"symbolType": "stroke", "symbolOpacity": 1, "symbolSize": 260}
    tooltip = ["network:N", "epoch:Q", _told(name, title), "seeds:Q"]
    bands = base.mark_area(opacity=0.15).encode(
        y=alt.Y(f"{name}_low:Q", scale=scale, title=title), y2=f"{name}_high:Q", color=looks.colour(**stroke)
    )
    lines = base.mark_line(point={"size": 28}, strokeWidth=2).encode(
        y=alt.Y(f"{name}:Q", scale=scale, title=title, axis=axis),
        color=looks.colour(**stroke),
        strokeDash=looks.dash(**stroke),
        tooltip=tooltip,
    )
    axes = " The axis is logarithmic in the error." if accuracy else ""
    when = "as a running mean over each epoch" if name.startswith("train") else "after each epoch"
    caption = f"{title[0].upper()}{title[1:]}, {when}: mean over seeds, band from lowest to highest seed.{axes}"
    return make(f"curve-{name.replace('_', '-')}", caption, alt.layer(bands, lines), least=looks.legend_width)


def _told(name: str, title: str) -> Any:
    """The tooltip of a point; rows hold accuracies as errors, and as texts beside."""
    import altair as alt

    if name.endswith("accuracy"):
        return alt.Tooltip(f"{name.removesuffix('_accuracy')}:N", title=title)
    return alt.Tooltip(f"{name}:Q", title=title, format=".4g")
