"""The picture of scaling.py: measured times, and the slope of the operations through the largest point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from linewise.report.charts.chart import CONFIG, CONVOLUTIONAL, RECURRENT

TITLES = {
    "batch": "Batch: a training step",
    "width": "Width: a training step, batch 128",
    "steps": "Steps (rows): a training step, batch 128",
    "images": "Images: an epoch, batch 128",
    "workers": "Workers: an epoch of 1,024 images in each",
}
COLOURS = {"lstm": RECURRENT[0], "gru": RECURRENT[1], "cnn": CONVOLUTIONAL[0]}


def draw(points: list[dict[str, Any]], out: Path) -> None:
    """Write a PNG, a panel per dial, both axes logarithmic."""
    frame = pd.DataFrame(points)
    last = frame.groupby(["dial", "network"])["value"].transform("max")
    largest = frame[frame["value"] == last].set_index(["dial", "network"])
    keys = list(zip(frame["dial"], frame["network"], strict=True))
    # workers: 1 is what is expected of one process; elsewhere small sizes have fixed costs, so the largest leads
    first = frame[frame["value"] == 1].set_index(["dial", "network"])
    through = [first if dial == "workers" else largest for dial, _ in keys]
    frame["expected"] = [
        macs * at.loc[key, "s"] / at.loc[key, "macs"]
        for macs, key, at in zip(frame["macs"], keys, through, strict=True)
    ]
    panels = [_panel(frame[frame["dial"] == dial], title) for dial, title in TITLES.items()]
    rows = alt.vconcat(alt.hconcat(*panels[:2]), alt.hconcat(*panels[2:4]), alt.hconcat(*panels[4:]))
    spec = {**rows.to_dict(), "config": CONFIG}
    out.write_bytes(vl_convert.vegalite_to_png(spec, scale=2))


def _panel(frame: pd.DataFrame, title: str) -> alt.LayerChart:
    values = sorted(set(frame["value"]))
    x = alt.X("value:Q", scale=alt.Scale(type="log", base=2), axis=alt.Axis(values=values, format="d"), title=None)
    colour = alt.Color(
        "network:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), title=None
    )
    base = alt.Chart(frame, title=title, width=300, height=220).encode(x=x, color=colour)
    y = alt.Y("s:Q", scale=alt.Scale(type="log"), title="seconds")
    return alt.layer(
        base.mark_line(strokeDash=[4, 4], opacity=0.7).encode(y=alt.Y("expected:Q", scale=alt.Scale(type="log"))),
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title="seconds"), y2="high:Q"),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y, shape=alt.Shape("network:N", title=None)),
    )
