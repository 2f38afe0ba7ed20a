"""`calibrate`: when a reader may stop before the image ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from linewise.foundations.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from linewise.foundations.stopping import StopRule
    from linewise.images import Chosen
    from linewise.models.saved import Saved


def calibrate(
    run: str | Path,
    loss_budget: float = 0.1,
    *,
    confidence: float = 0.95,
    data: str | Path | None = None,
    data_dir: str | Path | None = None,
    test: bool = True,
    command: str = "linewise.calibrate(…)",
    warned: Callable[[str], None] = lambda text: None,
) -> StopRule:
    """Find out when a trained reader may stop before the image ends, at a bounded loss of accuracy.

    The rule is found on validation images and kept as `stop.json` in the run's folder; then it is tried on the
    test images, and timed.

    Args:
        run: the folder of a run whose network reads in one direction.
        loss_budget: points of accuracy (percent of the images) that may be lost.
        confidence: probability that no more is lost, over the choice of the validation images.
        data: images of the same classes; None takes those the network was trained on.
        data_dir: where named data sets lie.
        test: try it on the test images, an opening that is logged.
        command: what is noted with that opening.
        warned: called with what a person should know about the images.

    Raises:
        ConfigError: a wrong dial, or a network that does not read step by step. DataError: images that cannot be
            used, or too few of them. SavedModelError: the model cannot be loaded.

    Example:
        >>> rule = linewise.calibrate("studies/mnist/runs/lstm-0", loss_budget=0.1)    # doctest: +SKIP
        >>> rule.doubt, rule.test.read                                                 # doctest: +SKIP
    """
    from linewise.analysis.stopping import find_threshold
    from linewise.models.saved import load_model
    from linewise.study import stopping
    from linewise.study.prediction import images_for

    _check_range("--loss-budget", loss_budget, 100, "points of accuracy")
    _check_range("--confidence", confidence, 1, "a probability")
    path, saved = Path(run), load_model(run)
    stopping.reader_of(saved)
    source, where = stopping.trained_on(saved, str(data) if data else None), Path(data_dir) if data_dir else None
    part = images_for(path, saved, source, "validation", where, command)
    if test and part.split == "all":
        raise ConfigError(
            f"{source} is not divided, so the images that find the rule would test it too",
            where="--data",
            expected="images with a validation and a test split",
            mend="add --no-test, or name such images",
        )
    for warning in part.warnings:
        warned(warning)
    pixel_C = stopping.blank_pixel(saved, part)
    found = find_threshold(stopping.answers_along(saved, part, pixel_C), loss_budget / 100, confidence)
    rule = stopping.make_rule(saved, source, part, pixel_C, found, loss_budget / 100, confidence)
    stopping.save_rule(path, rule)
    if test:
        rule = _try_rule(path, saved, rule, images_for(path, saved, source, "test", where, command))
    return rule


def _try_rule(path: Path, saved: Saved, rule: StopRule, part: Chosen) -> StopRule:
    from linewise.analysis.stopping import judge
    from linewise.foundations.environment import environment
    from linewise.foundations.stopping import StopTest
    from linewise.kernels import described
    from linewise.study import stop_times, stopping

    judged = judge(stopping.answers_along(saved, part, rule.blank), rule.doubt)
    test = StopTest(
        data=rule.data,
        num_images=len(part),
        **vars(judged),
        times=stop_times.time_reading(saved, rule, part),
        environment=environment(stop_times.THREADS, kernels=described()),
    )
    rule = rule.model_copy(update={"test": test})
    stopping.save_rule(path, rule)
    return rule


def _check_range(name: str, value: float, most: float, what: str) -> None:
    if not 0 < value < most:
        raise ConfigError(f"{value:g}", where=name, expected=f"{what} between 0 and {most:g}")
