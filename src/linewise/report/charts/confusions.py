"""Confusion matrices: colour is the share of a class taken for another; the diagonal is left pale."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from linewise.analysis import Summary
from linewise.analysis.confusion import confusion
from linewise.foundations.arrays import Predictions
from linewise.report.charts.chart import Chart, make

MOST_WITH_NUMBERS = 20


def confusion_charts(summary: Summary) -> dict[str, Chart]:
    """One chart per network that has answers, by its label; counts are sums over seeds."""
    evidence = summary.evidence
    names = evidence.spec.data.shown_names
    found = {}
    for network in evidence.networks:
        answers = network.answers(evidence.split)
        if answers and network.spec.name != "majority":
            counts_KK = confusion(answers, len(names))
            found[network.label] = _chart(network.label, counts_KK, names, len(answers))
    return found


def confusion_chart(label: str, answers: Predictions, names: list[str]) -> Chart:
    """The chart of one run's answers."""
    return _chart(label, confusion([answers], len(names)), names, 1)


def shorten(name: str, most: int = 22) -> str:
    """A class name that fits an axis."""
    return name if len(name) <= most else name[: most - 1] + "…"


def _chart(label: str, counts_KK: np.ndarray, names: list[str], num_runs: int) -> Chart:
    import altair as alt

    rows = _rows(counts_KK, names)
    step = 30 if len(names) <= MOST_WITH_NUMBERS else max(8, 680 // len(names))
    order = [str(k) for k in range(len(names))]
    shown = f"({_js({str(k): shorten(name) for k, name in enumerate(names)})})[datum.value]"
    labels = {"labelExpr": shown, "labelOverlap": False, "labelFontSize": min(12, step)}
    steep = -90 if len(names) > MOST_WITH_NUMBERS else -45
    axis = alt.Axis(labelAngle=0 if max(map(len, names)) <= 3 else steep, **labels)
    y_axis = alt.Axis(**labels)
    scale = alt.Scale(domain=order, paddingInner=0.06)
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("predicted:N", title="answered", axis=axis, scale=scale),
        y=alt.Y("true:N", title="true class", axis=y_axis, scale=scale),
        tooltip=[
            alt.Tooltip("trueName:N", title="true class"),
            alt.Tooltip("predictedName:N", title="answered"),
            alt.Tooltip("count:Q", title=f"answers ({num_runs} runs)"),
            alt.Tooltip("share:Q", title="% of the class", format=".2f"),
        ],
    )
    most = max((row["wrong"] for row in rows), default=0) or 1
    told = "datum.trueName + ' taken for ' + datum.predictedName + ': ' + datum.count"
    cells = base.mark_rect(cursor="pointer", description=alt.ExprRef(told)).encode(
        color=alt.condition(
            "datum.t == datum.p",
            alt.value("#eef1f4"),
            alt.Color(
                "wrong:Q",
                title="% of the true class",
                scale=alt.Scale(  # Vega's own way from white to orange passes through amber
                    type="sqrt", domain=[0, most], range=["#ffffff", "#c94a00"], interpolate="rgb"
                ),
                legend=alt.Legend(orient="bottom", gradientLength=180, values=[0, most / 4, most], format=".2~g"),
            ),
        )
    )
    chart = cells
    if len(names) <= MOST_WITH_NUMBERS:
        numbers = base.mark_text(fontSize=11, cursor="pointer", aria=False).encode(
            text="text:N",
            color=alt.condition(f"datum.wrong > {most * 0.6}", alt.value("#ffffff"), alt.value("#26303a")),
        )
        chart = alt.layer(cells, numbers)
    chart = chart.properties(width=alt.Step(step), title=label)
    runs = f"{num_runs} runs" if num_runs > 1 else "one run"
    caption = (
        f"Confusions of {label}, sums over {runs}. Off the diagonal: wrong answers, colour by their "
        "share of the true class; on the diagonal: percent recognised."
    )
    slug = re.sub(r"[^A-Za-z0-9._+=,@-]", "-", label)
    made = make(f"confusion-{slug}", caption, chart, width=None, height=None)
    made.spec["height"] = {"step": step}
    return made


def _rows(counts_KK: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """One row per cell that holds answers, and per cell of the diagonal."""
    totals_K = counts_KK.sum(axis=1)
    rows = []
    for t, p in zip(*np.nonzero(counts_KK + np.eye(len(names), dtype=int)), strict=True):
        count, total = int(counts_KK[t, p]), int(totals_K[t])
        share = 100 * count / total if total else 0.0
        rows.append(
            {
                "t": int(t),
                "p": int(p),
                "true": str(t),
                "predicted": str(p),
                "count": count,
                "share": share,
                "wrong": share if t != p else 0.0,
                "text": _number(count, total, bool(t == p)),
                "trueName": names[t],
                "predictedName": names[p],
            }
        )
    return rows


def _number(count: int, total: int, diagonal: bool) -> str:
    """What a cell says: percent recognised on the diagonal, wrong answers elsewhere."""
    if diagonal:
        if count == total:
            return "100" if total else ""
        return f"{min(99.9, 100 * count / total):.1f}"
    return str(count) if count else ""


def _js(lookup: dict[str, str]) -> str:
    """A Vega expression for a table of names. Vega's own parser reads it; it cannot call anything."""
    import json

    return json.dumps(lookup, ensure_ascii=True)
