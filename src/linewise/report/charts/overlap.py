"""How much mistakes overlap: every pair of runs by kind, and every two networks."""

from __future__ import annotations

from typing import Any

import numpy as np

from linewise.analysis.overlap import Overlap
from linewise.analysis.overlap.verdict import Kind
from linewise.report.charts.chart import CONVOLUTIONAL, INK, OTHER, RECURRENT, Chart, make

MOST_DOTS, MOST_WITH_NUMBERS = 1_200, 20
ROW, STEP = 46, 36
"""Pixels of a row of dots, and of a cell."""
GOLDEN = (5**0.5 - 1) / 2
HUES = {"recurrent": RECURRENT[0], "convolutional": CONVOLUTIONAL[0], "": OTHER[0]}
TITLES = {"same network": "{}, two seeds of a network", "same family": "{}, two networks"}


def kinds_chart(overlap: Overlap) -> Chart:
    """One dot per pair of runs, the pairs of the two networks compared stand out; the noise floor as a line."""
    import altair as alt

    titles = [kind_title(kind) for kind in overlap.kinds]
    many = sum(kind.num_pairs for kind in overlap.kinds) > MOST_DOTS
    rows = [
        row
        for kind, pairs in zip(overlap.kinds, overlap.pairs, strict=True)
        for row in (_by_networks if many else _by_runs)(overlap, kind, pairs)
    ]
    rows.sort(key=lambda row: row["compared"])  # those compared lie above the others
    y = alt.Y("kind:N", sort=titles, title=None, axis=alt.Axis(labelLimit=260))
    x = alt.X(
        "kappa:Q",
        title="κ of mistakes, as many for every run",
        scale=alt.Scale(zero=False, nice=True),
        axis=alt.Axis(tickCount=8),
    )
    hue = alt.Color("family:N", scale=alt.Scale(domain=list(HUES), range=list(HUES.values())), legend=None)
    base = alt.Chart(alt.Data(values=rows)).encode(y=y)
    dots = base.mark_point(filled=True).encode(
        x=x,
        color=hue,
        yOffset=alt.YOffset("jitter:Q", scale=alt.Scale(domain=[-0.3, 1.3])),
        size=alt.condition("datum.compared", alt.value(70), alt.value(18)),
        opacity=alt.condition("datum.compared", alt.value(1), alt.value(0.35)),
        stroke=alt.condition("datum.compared", alt.value("#ffffff"), alt.value(None)),
        strokeWidth=alt.value(1),
        tooltip=[
            alt.Tooltip("first:N", title="one"),
            alt.Tooltip("second:N", title="other"),
            alt.Tooltip("kappa:Q", title="κ", format=".3f"),
        ],
    )
    means = [{"kind": title, "kappa": kind.equal} for kind, title in zip(overlap.kinds, titles, strict=True)]
    ticks = (
        alt.Chart(alt.Data(values=means))
        .mark_tick(thickness=3, size=ROW * 0.72, color=INK)
        .encode(y=y, x="kappa:Q", tooltip=[alt.Tooltip("kappa:Q", title="mean κ", format=".3f")])
    )
    layers = [dots, ticks]
    told = ""
    if overlap.floor is not None:
        line = alt.Chart(alt.Data(values=[{"kappa": overlap.floor, "text": "noise floor"}])).encode(x="kappa:Q")
        layers = [line.mark_rule(strokeDash=[5, 4], color=INK), *layers]
        layers.append(line.mark_text(align="left", dx=5, y=-7, color=INK, fontSize=12).encode(text="text:N"))
        told = (
            f" Large dots are pairs of {overlap.recurrent} and {overlap.convolutional}; the noise floor is what "
            "two seeds of one of them have in common, the smaller of the two means. Bars are means of a row."
        )
    each = "a pair of networks, the mean over seeds" if many else "a pair of runs"
    caption = (
        f"Overlap of mistakes. Each dot is {each}; as many images, the {overlap.num_hard:,} hardest, count as the "
        f"mistakes of every run. 0 is chance, 1 the same images.{told}"
    )
    return make("overlap-kinds", caption, alt.layer(*layers), width=620, height=ROW * len(titles), least=480)


def kind_title(kind: Kind) -> str:
    """`recurrent, two networks`."""
    return TITLES[kind.relation].format(kind.family) if kind.family else "one of each family"


def _by_runs(overlap: Overlap, kind: Kind, pairs: tuple[np.ndarray, np.ndarray]) -> list[dict[str, Any]]:
    networks_R = overlap.network_R
    return [
        _row(overlap, kind, place, int(networks_R[a]), int(networks_R[b]), float(overlap.equal_RR[a, b]))
        for place, (a, b) in enumerate(zip(*pairs, strict=True))
    ]


def _by_networks(overlap: Overlap, kind: Kind, pairs: tuple[np.ndarray, np.ndarray]) -> list[dict[str, Any]]:
    networks = sorted(
        {(int(overlap.network_R[a]), int(overlap.network_R[b])) for a, b in zip(*pairs, strict=True)}
    )
    return [
        _row(overlap, kind, place, a, b, float(overlap.equal_GG[a, b])) for place, (a, b) in enumerate(networks)
    ]


def _row(overlap: Overlap, kind: Kind, place: int, first: int, second: int, kappa: float) -> dict[str, Any]:
    labels = overlap.labels[first], overlap.labels[second]
    return {
        "kind": kind_title(kind),
        "family": kind.family,
        "first": labels[0],
        "second": labels[1],
        "kappa": round(kappa, 4),
        "compared": set(labels) <= {overlap.recurrent, overlap.convolutional},
        "jitter": round((place * GOLDEN) % 1, 3),  # evenly spread, and the same in each report
    }


def networks_chart(overlap: Overlap) -> Chart | None:
    """Mean κ of every two networks as a heat map; the diagonal is between seeds. None for two networks."""
    import altair as alt

    labels, matrix_GG = overlap.labels, overlap.equal_GG
    if len(labels) < 3:
        return None
    rows = [
        {"one": a, "other": b, "kappa": round(float(matrix_GG[i, j]), 4), "same": i == j}
        for i, a in enumerate(labels)
        for j, b in enumerate(labels)
        if np.isfinite(matrix_GG[i, j])
    ]
    numbered = len(labels) <= MOST_WITH_NUMBERS
    step = max(STEP, 280 // len(labels)) if numbered else STEP // 2
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "other:N", sort=labels, title=None, axis=alt.Axis(labelAngle=-45, labelLimit=260, labelOverlap=False)
        ),
        y=alt.Y("one:N", sort=labels, title=None, axis=alt.Axis(labelLimit=260, labelOverlap=False)),
        tooltip=["one:N", "other:N", alt.Tooltip("kappa:Q", title="mean κ", format=".3f")],
    )
    most = max(row["kappa"] for row in rows)
    chart = base.mark_rect(stroke="#ffffff").encode(
        color=alt.Color(
            "kappa:Q",
            title="κ",
            scale=alt.Scale(
                domain=[min(0.0, *(row["kappa"] for row in rows)), most],
                range=["#ffffff", "#0a5a8f"],
                interpolate="rgb",
            ),
            legend=alt.Legend(orient="bottom", gradientLength=180),
        )
    )
    if numbered:
        text = base.mark_text(fontSize=11, aria=False).encode(
            text=alt.Text("kappa:Q", format=".2f"),
            color=alt.condition(f"datum.kappa > {0.55 * most}", alt.value("#ffffff"), alt.value(INK)),
        )
        chart = alt.layer(chart, text)
    caption = (
        "Mean κ of every two networks, as many mistakes for every run; on the diagonal between seeds of one "
        "network. Darker: more of the same images."
    )
    made = make("overlap-networks", caption, chart.properties(width=alt.Step(step)), width=None, height=None)
    made.spec["height"] = {"step": step}
    return made
