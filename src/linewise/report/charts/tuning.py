"""How the best validation accuracy grows with the trials spent."""

from __future__ import annotations

from linewise.analysis.tuning import Tuning
from linewise.report.charts.chart import Chart, Looks, accuracy_axis, log_scale, make


def trials_chart(tuning: Tuning, looks: Looks) -> Chart | None:
    """One step line per network on a logarithmic axis of errors, trials as points; None before any finished."""
    import altair as alt

    least = 50 / max(1, tuning.record.num_validation)  # half an image
    steps, points = [], []
    for network in tuning.networks:
        label = network.tuning.label
        for trial, best in zip(network.tuning.trials, network.so_far, strict=True):
            spent = trial.number + 1
            if best is not None:
                error = max(least, 100 * (1 - best))
                steps.append({"network": label, "trials": spent, "error": error, "best": f"{100 * best:.2f} %"})
            if trial.validation_accuracy is not None:
                found = f"{100 * trial.validation_accuracy:.2f} %"
                settings = ", ".join(f"{name} {value:g}" for name, value in trial.settings.items())
                error = max(least, 100 * (1 - trial.validation_accuracy))
                point = {"network": label, "trials": spent, "error": error}
                points.append({**point, "found": found, "settings": settings})
    if not steps:
        return None
    scale, ticks = log_scale([float(row["error"]) for row in points], reverse=True)
    looks = looks.keep({str(row["network"]) for row in steps})
    span = alt.Scale(domain=[0.5, tuning.record.plan.trials + 0.5], nice=False)
    x = alt.X("trials:Q", title="trials spent", scale=span, axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("error:Q", scale=scale, title="validation accuracy, %", axis=accuracy_axis(ticks))
    stroke = {"symbolType": "stroke", "symbolOpacity": 1, "symbolSize": 260}
    lines = (
        alt.Chart(alt.Data(values=steps))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=x,
            y=y,
            color=looks.colour(**stroke),
            strokeDash=looks.dash(**stroke),
            tooltip=["network:N", "trials:Q", alt.Tooltip("best:N", title="best so far")],
        )
    )
    dots = (
        alt.Chart(alt.Data(values=points))
        .mark_point(filled=True, size=22, opacity=0.45)
        .encode(
            x=x,
            y=y,
            color=looks.colour(**stroke),
            tooltip=["network:N", "trials:Q", alt.Tooltip("found:N", title="validation accuracy"), "settings:N"],
        )
    )
    return make(
        "tuning-trials",
        "Highest validation accuracy so far against trials spent, one line per network; each finished trial is a "
        "point. The first trial of every network has the study's recipe. The axis is logarithmic in the error.",
        alt.layer(dots, lines),
        width=620,
        height=320,
        least=looks.legend_width,
    )
