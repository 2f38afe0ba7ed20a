"""How many times as fast each recurrent network is as each convolutional one."""

from __future__ import annotations

from linewise.analysis.speed import Speeds
from linewise.report.charts.chart import INK, LETTER_WIDTH, Chart, log_scale, make

ROW, LABEL, PLOT = 30, 320, 260
COLOURS = ["#0072b2", "#e69f00", "#117733"]


def ratio_chart(speeds: Speeds, works: dict[str, str]) -> Chart | None:
    """Dots and whiskers on a logarithmic axis; 1 is equally fast. None without pairs."""
    import altair as alt

    rows = [
        {
            "pair": f"{r} ÷ {c}",
            "work": title,
            "ratio": ratio.estimate,
            "low": ratio.low,
            "high": ratio.high,
            "text": f"{ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f}), {ratio.num_rounds} rounds",
        }
        for (r, c), ratios in speeds.pairs.items()
        for work, title in works.items()
        if (ratio := ratios.get(work))
    ]
    if not rows:
        return None
    scale, ticks = log_scale([float(row[end]) for row in rows for end in ("low", "high")] + [1.0])
    x = alt.X("low:Q", scale=scale, title="times as fast, recurrent ÷ convolutional", axis=alt.Axis(values=ticks))
    y = alt.Y("pair:N", title=None, sort=None, axis=alt.Axis(labelLimit=LABEL))
    offset = alt.YOffset("work:N", sort=list(works.values()))
    colour = alt.Color(
        "work:N",
        title=None,
        scale=alt.Scale(domain=list(works.values()), range=COLOURS),
        legend=alt.Legend(orient="bottom"),
    )
    tooltip = [alt.Tooltip("pair:N"), alt.Tooltip("work:N"), alt.Tooltip("text:N", title="times as fast")]
    base = alt.Chart(alt.Data(values=rows)).encode(y=y, yOffset=offset, color=colour, tooltip=tooltip)
    whiskers = base.mark_rule(strokeWidth=2.5).encode(x=x, x2="high:Q")
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("ratio:Q", scale=scale), shape=alt.Shape("work:N", sort=list(works.values()), legend=None)
    )
    one = alt.Chart(alt.Data(values=[{"one": 1}])).mark_rule(strokeDash=[4, 3], color=INK).encode(x="one:Q")
    longest = max(len(str(row["pair"])) for row in rows)
    return make(
        "speed-ratios",
        "How many times as fast each recurrent network is as each convolutional one: medians over rounds in "
        "alternation, with 95 % intervals. Right of the dashed line the recurrent network is faster.",
        alt.layer(one, whiskers, dots),
        width=560,
        height=max(120, ROW * len(rows)),
        least=round(PLOT + min(LABEL, LETTER_WIDTH * longest)),
    )
