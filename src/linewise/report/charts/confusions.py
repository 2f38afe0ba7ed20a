"""Confusion matrices: colour is the share of a class taken for another; the diagonal is left pale."""

from __future__ import annotations

import re

import numpy as np

from linewise.analysis import Summary
from linewise.analysis.confusion import confusion
from linewise.report.charts.chart import Chart, make

MOST_WITH_NUMBERS = 20


def confusion_charts(summary: Summary) -> dict[str, Chart]:
    """One chart per network that has answers, by its label; counts are sums over seeds."""
    evidence = summary.evidence
    names = evidence.spec.data.class_names
    found = {}
    for network in evidence.networks:
        answers = network.answers(evidence.split)
        if answers and network.spec.name != "majority":
            counts_KK = confusion(answers, len(names))
            found[network.label] = _chart(network.label, counts_KK, names, len(answers))
    return found


def shorten(name: str, most: int = 22) -> str:
    """A class name that fits an axis."""
    return name if len(name) <= most else name[: most - 1] + "…"


def _chart(label: str, counts_KK: np.ndarray, names: list[str], num_runs: int) -> Chart:
    import altair as alt

    totals_K = counts_KK.sum(axis=1)
    rows = [
        {
            "t": t,
            "p": p,
            "true": f"{t}",
            "predicted": f"{p}",
            "count": int(counts_KK[t, p]),
            "share": 100 * float(counts_KK[t, p] / totals_K[t]) if totals_K[t] else 0.0,
            "wrong": 100 * float(counts_KK[t, p] / totals_K[t]) if t != p and totals_K[t] else 0.0,
            "text": _number(int(counts_KK[t, p]), int(totals_K[t]), t == p),
            "trueName": names[t],
            "predictedName": names[p],
        }
        for t in range(len(names))
        for p in range(len(names))
    ]
    step = 30 if len(names) <= MOST_WITH_NUMBERS else max(8, 680 // len(names))
    order = [str(k) for k in range(len(names))]
    lookup = {str(k): shorten(name) for k, name in enumerate(names)}
    axis = alt.Axis(
        labelExpr=f"({_js(lookup)})[datum.value]",
        labelAngle=0 if max(map(len, names)) <= 4 else -45,
        labelOverlap=False,
    )
    y_axis = alt.Axis(labelExpr=f"({_js(lookup)})[datum.value]", labelOverlap=False)
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("predicted:N", sort=order, title="answered", axis=axis, scale=alt.Scale(paddingInner=0.06)),
        y=alt.Y("true:N", sort=order, title="true class", axis=y_axis, scale=alt.Scale(paddingInner=0.06)),
        tooltip=[
            alt.Tooltip("trueName:N", title="true class"),
            alt.Tooltip("predictedName:N", title="answered"),
            alt.Tooltip("count:Q", title=f"answers ({num_runs} runs)"),
            alt.Tooltip("share:Q", title="% of the class", format=".2f"),
        ],
    )
    most = max((row["wrong"] for row in rows), default=0) or 1
    cells = base.mark_rect(cursor="pointer").encode(
        color=alt.condition(
            "datum.t == datum.p",
            alt.value("#eef1f4"),
            alt.Color(
                "wrong:Q",
                title="% of the true class",
                scale=alt.Scale(type="sqrt", domain=[0, most], range=["#ffffff", "#c94a00"]),
                legend=alt.Legend(orient="bottom", gradientLength=180, tickCount=4, format="~g"),
            ),
        )
    )
    chart = cells
    if len(names) <= MOST_WITH_NUMBERS:
        numbers = base.mark_text(fontSize=11, cursor="pointer").encode(
            text="text:N",
            color=alt.condition(f"datum.wrong > {most * 0.45}", alt.value("#ffffff"), alt.value("#26303a")),
        )
        chart = alt.layer(cells, numbers)
    chart = chart.properties(width=alt.Step(step), title=label)
    caption = (
        f"Confusions of {label}, sums over {num_runs} runs. Off the diagonal: wrong answers, colour by their "
        "share of the true class; on the diagonal: percent recognised."
    )
    slug = re.sub(r"[^A-Za-z0-9._+=,@-]", "-", label)
    made = make(f"confusion-{slug}", caption, chart, width=None, height=None)
    made.spec["height"] = {"step": step}
    return made


def _number(count: int, total: int, diagonal: bool) -> str:
    """What a cell says: percent recognised on the diagonal, wrong answers elsewhere."""
    if diagonal:
        return f"{100 * count / total:.1f}" if total else ""
    return str(count) if count else ""


def _js(lookup: dict[str, str]) -> str:
    """A Vega expression for a table of names. Vega's own parser reads it; it cannot call anything."""
    import json

    return json.dumps(lookup, ensure_ascii=True)
