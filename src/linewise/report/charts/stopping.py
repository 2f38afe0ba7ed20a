"""What stopping early costs: accuracy against the share of the steps that is read."""

from __future__ import annotations

from linewise.foundations.stopping import StopRule
from linewise.report.charts.chart import INK, RECURRENT, Chart, make


def stopping_chart(rule: StopRule) -> Chart:
    """Accuracy on the test images for many thresholds, and for the rule.

    Args:
        rule: with a test.
    """
    import altair as alt

    assert rule.test is not None
    test = rule.test
    full, budget = 100 * test.full.estimate, 100 * rule.budget
    points = [{"read": 100 * p.read, "accuracy": 100 * p.accuracy, "doubt": p.doubt} for p in test.curve]
    rows = [row for row in points if row["accuracy"] > full - 30 * budget] or points  # a reader sure at once
    accuracies = [row["accuracy"] for row in rows]
    ends = [min([*accuracies, full - 2 * budget]), max([*accuracies, full]) + budget / 2]
    y = alt.Y("accuracy:Q", title="accuracy on the test images, %", scale=alt.Scale(domain=ends, zero=False))
    x = alt.X("read:Q", title="steps read, % of the whole reading, mean", scale=alt.Scale(domain=[0, 100]))
    line = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(color=RECURRENT[0], strokeWidth=2.5, point=alt.OverlayMarkDef(size=14, color=RECURRENT[0]))
        .encode(x=x, y=y, order="doubt:Q", tooltip=["read:Q", "accuracy:Q", "doubt:Q"])
    )
    limits = [
        {"accuracy": full, "text": "reading all", "above": True},
        {"accuracy": full - budget, "text": f"{budget:g} point{'' if budget == 1 else 's'} less", "above": False},
    ]
    base = alt.Chart(alt.Data(values=limits)).encode(y=y)
    rules = base.mark_rule(color=INK, strokeDash=[5, 3], opacity=0.7)
    layers = [rules, line]
    for above, dy in ((True, -7), (False, 9)):
        written = base.transform_filter(f"datum.above == {str(above).lower()}")
        layers.append(
            written.mark_text(align="left", dx=4, dy=dy, fontSize=11, color=INK).encode(
                x=alt.value(0), text="text:N"
            )
        )
    found = f"no threshold was found on {rule.num_images:,} validation images"
    if rule.doubt is not None:
        found = f"the dot is the rule found on {rule.num_images:,} validation images"
        here = {"read": 100 * test.read.estimate, "accuracy": 100 * test.stopped.estimate}
        spot = alt.Chart(alt.Data(values=[here])).encode(x=x, y=y)
        layers.append(spot.mark_point(filled=True, size=130, color="#d55e00", opacity=1))
    caption = (
        f"Accuracy on {test.num_images:,} test images against the mean share of the steps read, for thresholds "
        f"from loose to strict; {found}."
    )
    return make("stop", caption, alt.layer(*layers), width=520, height=300)
