"""`linewise calibrate`: when a reader may stop before the image ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linewise.cli import options as o

if TYPE_CHECKING:
    from linewise.foundations.stopping import Between, StopRule, StopTest

WAYS = {
    "whole": "all steps in one pass",
    "steps": "step by step, to the end",
    "stopping": "step by step, stopping",
}


def calibrate(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as studies/mnist/runs/lstm-0.")],
    loss_budget: Annotated[float, typer.Option(help="Points of accuracy that may be lost.")] = 0.1,
    confidence: Annotated[float, typer.Option(help="Probability that no more is lost.")] = 0.95,
    data: Annotated[
        str | None, typer.Option(help="Images of the same classes. Default: those it was trained on.")
    ] = None,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Try the rule on the test images; this opens them.")
    ] = True,
    data_dir: o.DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find a rule that stops reading early at a bounded loss of accuracy, and say what it saves."""
    from linewise import api

    rule = api.calibrate(
        run,
        loss_budget,
        confidence=confidence,
        data=data,
        data_dir=data_dir,
        test=test,
        command=o.typed_command(),
        warned=lambda text: typer.echo(f"warning: {text}", err=True),
    )
    if as_json:
        typer.echo(rule.model_dump_json(indent=1))
        return
    typer.echo(_told(rule, run))
    if rule.test:
        typer.echo(_told_test(rule, rule.test))
        if chart := _draw(rule, run):
            typer.echo(f"chart: {chart}")


def _told(rule: StopRule, run: Path) -> str:
    points = 100 * rule.budget
    what = f"{points:g} point{'' if points == 1 else 's'} at {100 * rule.confidence:g} % confidence"
    images = f"n = {rule.num_images:,} validation images"
    if rule.doubt is None:
        return f"no threshold keeps the loss within {what} ({images}): all is read"
    return (
        f"stop once the other classes together have at most {rule.doubt:.2g}: loss within {what}\n"
        f"  {images}: {rule.num_lost} lost, {rule.num_won} won, "
        f"at most {100 * rule.bound:.3f} points lost; {rule.read:.1%} of the {rule.num_steps} steps read\n"
        f"  kept in {run / 'stop.json'}"
    )


def _told_test(rule: StopRule, test: StopTest) -> str:
    lines = [
        f"test (n = {test.num_images:,}, 95 % intervals):",
        f"  accuracy reading all {_percent(test.full)}, stopping {_percent(test.stopped)}",
        f"  lost {_points(test.loss)} points",
        f"  read {_percent(test.read, 1)} of the steps"
        + (
            f", computed {_percent(test.computed, 1)}: blank steps at the beginning are looked up"
            if rule.blank
            else ""
        ),
        f"time per image ({test.environment.processor if test.environment else ''}, 1 thread; "
        "median of rounds in alternation, quartiles):",
    ]
    for size in dict.fromkeys(time.batch_size for time in test.times):
        lines.append(f"  {'one by one' if size == 1 else f'{size:,} together'}:")
        lines += _told_times(test, size)
    return "\n".join(lines)


def _told_times(test: StopTest, size: int) -> list[str]:
    import numpy as np

    times = {time.way: np.array(time.seconds) / time.images for time in test.times if time.batch_size == size}
    lines = []
    for way, seconds in times.items():
        low, median, high = 1e6 * np.quantile(seconds, [0.25, 0.5, 0.75])
        line = f"    {WAYS[way]:26} {median:9,.1f} µs ({low:,.1f} to {high:,.1f})"
        if way == "stopping":
            ratios = {other: float(np.median(times[other] / seconds)) for other in ("steps", "whole")}
            line += f": {ratios['steps']:.2f} × as fast as to the end, {ratios['whole']:.2f} × as in one pass"
        lines.append(line)
    return lines


def _percent(between: Between, digits: int = 2) -> str:
    estimate, low, high = (100 * value for value in (between.estimate, between.low, between.high))
    return f"{estimate:.{digits}f} % ({low:.{digits}f} to {high:.{digits}f})"


def _points(between: Between) -> str:
    estimate, low, high = (100 * value for value in (between.estimate, between.low, between.high))
    return f"{estimate:+.3f} ({low:+.3f} to {high:+.3f})"


def _draw(rule: StopRule, run: Path) -> Path | None:
    """The chart beside the rule, where the extra for reports is installed."""
    from importlib.util import find_spec

    if find_spec("altair") is None or find_spec("vl_convert") is None:
        return None
    from linewise.report.charts.stopping import stopping_chart

    stopping_chart(rule).save(run)
    return run / "stop.png"
