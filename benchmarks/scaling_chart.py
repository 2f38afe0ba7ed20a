"""The picture of scaling.py: measured times, and what is expected of them."""

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
    shape = alt.Shape(
        "network:N", scale=alt.Scale(domain=list(COLOURS), range=["circle", "square", "triangle-up"]), title=None
    )
    unit = "seconds" if "Workers" in title else "processor seconds"
    log = alt.Scale(type="log", nice=False)
    y = alt.Y("s:Q", scale=log, title=unit, axis=alt.Axis(tickCount=5))
    return alt.layer(
        base.mark_line(strokeDash=[4, 4], opacity=0.7).encode(y=alt.Y("expected:Q", scale=log, title=unit)),
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", scale=log, title=unit), y2="high:Q"),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y, shape=shape),
    )
