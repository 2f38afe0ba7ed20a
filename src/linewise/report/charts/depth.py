"""Reading depth: what readers know after each step, how deep each class lies, and when confusions happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linewise.analysis.depth import Depth
from linewise.analysis.depth.depth import Reader
from linewise.analysis.depth.turns import PairTurns
from linewise.foundations.amounts import count
from linewise.report.charts.chart import CONVOLUTIONAL, INK, RECURRENT, Chart, Looks, make, whole_ticks

MOST_CLASSES = 40
RIGHT, WRONG = RECURRENT[0], CONVOLUTIONAL[0]


def unit(readers: Sequence[Reader]) -> tuple[bool, str]:
    """Whether depths are counted in steps, as they are where all readings are as long; and what the axis says."""
    lengths = {reader.num_steps for reader in readers}
    return (True, f"steps of {lengths.pop()}") if len(lengths) == 1 else (False, "% of the reading")


def knowledge_charts(found: Depth, looks: Looks) -> list[Chart]:
    """Accuracy after each step, and the share of the answers that stay from there on."""
    import altair as alt

    in_steps, title = unit(found.readers)
    rows = [
        {
            "network": reader.label,
            "at": point.step if in_steps else 100 * point.step / reader.num_steps,
            "accuracy": 100 * point.accuracy.estimate,
            "low": 100 * point.accuracy.low,
            "high": 100 * point.accuracy.high,
            "settled": 100 * point.settled,
        }
        for reader in found.readers
        for point in reader.curve
    ]
    looks = looks.keep({reader.label for reader in found.readers})
    axis = whole_ticks(found.main.num_steps) if in_steps else alt.Axis()
    stroke = {"symbolType": "stroke", "symbolOpacity": 1, "symbolSize": 260}
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("at:Q", title=f"read, {title}", scale=alt.Scale(nice=False), axis=axis),
        color=looks.colour(**stroke),
    )
    tooltip = ["network:N", "at:Q", *(alt.Tooltip(f"{k}:Q", format=".2f") for k in ("accuracy", "settled"))]
    hundred = alt.Scale(domain=[0, 100])
    band = base.mark_area(opacity=0.18).encode(
        y=alt.Y("low:Q", scale=hundred, title=f"{found.split} accuracy, %"), y2="high:Q"
    )
    lines = base.mark_line(strokeWidth=2.2).encode(
        y=alt.Y("accuracy:Q", scale=hundred), strokeDash=looks.dash(**stroke), tooltip=tooltip
    )
    settled = base.mark_line(strokeWidth=2.2).encode(
        y=alt.Y("settled:Q", scale=hundred, title="answers that do not change any more, %"),
        strokeDash=looks.dash(**stroke),
        tooltip=tooltip,
    )
    seeds = found.main.depth.num_seeds
    n = f"{found.main.depth.num_images:,} {found.split} images, {count(seeds, 'seed')}"
    return [
        make(
            "depth-accuracy",
            f"Accuracy of the answer after each step ({n}), with 95 % intervals; "
            "the last is the network's accuracy.",
            alt.layer(band, lines),
            least=looks.legend_width,
        ),
        make(
            "depth-settled",
            f"Share of the answers that are final after each step: the distribution of reading depth ({n}).",
            settled,
            least=looks.legend_width,
        ),
    ]


def classes_chart(found: Depth, names: list[str], looks: Looks) -> Chart:
    """Mean depth of each class by network, the deepest class first."""
    import altair as alt

    in_steps, title = unit(found.readers)
    rows = []
    for reader in found.readers:
        scale = 1 if in_steps else 100 / reader.num_steps
        for k, depth in enumerate(reader.classes):
            if depth is not None:
                values = {"mean": depth.estimate, "low": depth.low, "high": depth.high}
                row = {"network": reader.label, "class": names[k], "n": depth.num_images}
                rows.append(row | {key: scale * value for key, value in values.items()})
    means: dict[str, list[float]] = {}
    for row in rows:
        means.setdefault(row["class"], []).append(row["mean"])
    order = sorted(means, key=lambda name: -sum(means[name]) / len(means[name]))[:MOST_CLASSES]
    rows = [row for row in rows if row["class"] in order]
    looks = looks.keep({reader.label for reader in found.readers})
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("class:N", sort=order, title=None, axis=alt.Axis(labelLimit=200)),
        yOffset=alt.YOffset("network:N", sort=looks.labels),
        color=looks.colour(),
        tooltip=[
            "network:N",
            "class:N",
            *(alt.Tooltip(f"{k}:Q", format=".2f") for k in ("mean", "low", "high")),
            "n:Q",
        ],
    )
    x = alt.Scale(zero=False)
    whiskers = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", scale=x, title=f"reading depth, {title}", axis=alt.Axis(tickMinStep=1, format="d")),
        x2="high:Q",
    )
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(x=alt.X("mean:Q", scale=x), shape=looks.shape())
    caption = (
        "After how much of the reading the answer never changes again: mean by true class, with 95 % intervals."
    )
    if len(means) > MOST_CLASSES:
        caption += f" The {MOST_CLASSES} deepest of {len(means)} classes."
    height = max(180, len(order) * max(16, 9 * len(found.readers)))
    return make("depth-classes", caption, alt.layer(whiskers, dots), height=height, least=looks.legend_width)


def turns_chart(found: Depth, names: list[str]) -> Chart | None:
    """Histograms over the steps, one per pair: turns to the right class upwards, to the wrong one downwards."""
    import altair as alt

    rows = [row for pair in found.pairs for row in _turns(found.main, pair, names)]
    if not rows:
        return None
    pairs = list(dict.fromkeys(row["pair"] for row in rows))
    most = max(abs(row["count"]) for row in rows)
    hue = alt.Color(
        "to:N",
        scale=alt.Scale(domain=["to the right class", "to the wrong class"], range=[RIGHT, WRONG]),
        legend=alt.Legend(orient="bottom", title=None),
    )
    steps = alt.Scale(domain=[0.5, found.main.num_steps + 0.5], nice=False)
    counts = alt.Scale(type="symlog", domain=[-most, most])
    ticks = alt.Axis(labelExpr="abs(datum.value)", values=_ticks(most), labelOverlap=False)
    bars = (
        alt.Chart()
        .mark_bar()
        .encode(
            x=alt.X("step:Q", title=f"step of {found.main.num_steps}", scale=steps),
            y=alt.Y("count:Q", title="answers", scale=counts, axis=ticks),
            color=hue,
            tooltip=["pair:N", "step:Q", "to:N", "shown:Q"],
        )
        .properties(width=236, height=120)
    )
    line = alt.Chart().mark_rule(color=INK, opacity=0.5).encode(y=alt.YDatum(0, scale=counts, axis=ticks))
    header = alt.Header(labelFontSize=13, labelColor=INK, labelFontWeight=600)
    chart = alt.layer(bars, line, data=alt.Data(values=rows)).facet(
        facet=alt.Facet("pair:N", sort=pairs, title=None, header=header), columns=3
    )
    seeds = found.main.depth.num_seeds
    caption = (
        f"{found.main.label}, {count(seeds, 'seed')}: the step in which an answer turns for the "
        "last time from one class of the pair to the other; images of the two classes whose answer ends as one of "
        "them."
    )
    return make("depth-turns", caption, chart, width=None, height=None, least=300)


def _turns(reader: Reader, pair: PairTurns, names: list[str]) -> list[dict[str, Any]]:
    title, rows = f"{names[pair.first]} and {names[pair.second]}", []
    for to, counts_T, sign in (("right", pair.to_right_T, 1), ("wrong", pair.to_wrong_T, -1)):
        for step, answers in zip(reader.kept_T.tolist(), counts_T.tolist(), strict=True):
            if answers:
                row = {"pair": title, "step": step, "to": f"to the {to} class"}
                rows.append(row | {"count": sign * answers, "shown": answers})
    return rows


def _ticks(most: int) -> list[int]:
    powers = [10**k for k in range(len(str(most))) if 10**k <= most and (k or most < 100)]  # 1 would lie upon 0
    return [*(-p for p in reversed(powers)), 0, *powers]
