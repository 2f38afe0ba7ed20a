"""Linewise from Python: the same study as on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from linewise.foundations.errors import ConfigError, missing_extra
from linewise.foundations.folder import StudyFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from linewise.foundations.stopping import StopRule
    from linewise.foundations.tuning import TuningRecord
    from linewise.images import Chosen, ImageSet
    from linewise.models.saved import Saved
    from linewise.study.events import Events

STUDIES = Path("studies")


class Study:
    """A study on disk and what it says.

    Attributes:
        path: its folder.

    Raises:
        DataError: the folder holds no study.
    """

    def __init__(self, path: str | Path) -> None:
        self.folder = StudyFolder.open(Path(path))
        self.path = self.folder.path

    @property
    def answer(self) -> str:
        """What the study showed, in one or two sentences."""
        return self._summary().answer

    @property
    def tuning(self) -> TuningRecord | None:
        """Trials and choices of the tuning; None where nothing was tuned."""
        return self.folder.tuning()

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row per network: cost, accuracies with intervals and n, times."""
        return self._summary().rows()

    @property
    def runs(self) -> list[dict[str, Any]]:
        """One row per run, as in `results.csv`."""
        return self._summary().run_rows()

    @property
    def figures(self) -> dict[str, Path]:
        """PNG figures of the report by name; made if they are not there."""
        folder = self.folder.report_path / "figures"
        if not folder.is_dir():
            self.report()
        return {path.stem: path for path in sorted(folder.glob("*.png"))}

    @property
    def report_is_current(self) -> bool:
        """Whether the page is newer than every record."""
        page = self.folder.report_path / "index.html"
        records = [self.folder.spec_path, *self.path.glob("runs/*/run.json"), *self.path.glob("tuning/*.json")]
        return page.exists() and page.stat().st_mtime > max(path.stat().st_mtime for path in records)

    def report(self) -> Path:
        """Make the report anew from the folder alone; the path of its page."""
        from linewise.report import build

        return build(self.path)

    def _summary(self) -> Any:
        from linewise.analysis import summarise

        return summarise(self.folder)

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r})"


def compare(
    images: str | Path | np.ndarray | tuple[np.ndarray, np.ndarray] = "digits",
    labels: np.ndarray | None = None,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    size: tuple[int, int] | None = None,
    fit: Literal["letterbox", "crop", "stretch"] = "letterbox",
    data_dir: str | Path | None = None,
    image_options: dict[str, Any] | None = None,
    split_options: dict[str, Any] | None = None,
    report: bool = True,
    storage: str | None = None,
    command: str = "linewise.compare(…)",
    events: Events | None = None,
    **dials: Any,
) -> Study:
    """Train networks at matched cost over several seeds and compare them.

    Args:
        images: a name such as `mnist`, a path, an array `NHW` or `NHWC`, or a pair of images and labels.
        labels: one label per image, with an array.
        out: the study's folder; going on with a study that is there. None makes a new one under `studies/`.
        jobs: worker processes; None as many as cores, 0 trains in this process.
        size: height and width the networks see; None takes that of the images.
        fit: how images are brought to that size.
        data_dir: where named data sets lie.
        image_options: further options of `linewise.images.ImageOptions`.
        split_options: options of `linewise.images.SplitOptions`, such as `{"images": 40_000}`.
        report: make the report at the end.
        storage: a database that keeps the trials of the tuning, `postgresql://…`, for several machines.
        command: what is noted in the study as its origin.
        events: what to call as the study goes on.
        **dials: `models=[…]`, `seeds=5`, `epochs=5`, `match="params"`, `budget=80_000`, `tune=20` and the other
            fields of `linewise.study.config.CompareConfig`.

    Raises:
        ConfigError: a wrong dial. DataError: images that cannot be used.

    Example:
        >>> study = linewise.compare("digits", models=["lstm", "cnn"], seeds=5)    # doctest: +SKIP
        >>> study.answer                                                           # doctest: +SKIP
    """
    from linewise.study.comparison import run_study
    from linewise.study.config import make_config
    from linewise.study.executors import make_executor

    config = make_config(**dials)
    if report:
        require("report")
    if config.tune:
        require("tune")
    image_set = _load(images, labels, size, fit, data_dir, image_options, split_options, events)
    path = Path(out) if out else fresh_folder(image_set.name)
    executor = make_executor(jobs, config.threads)
    run_study(image_set, config, path, executor, command=command, events=events, storage=storage)
    study = Study(path)
    if report and not study.report_is_current:
        study.report()
    return study


def tune(
    images: str | Path | np.ndarray | tuple[np.ndarray, np.ndarray] = "digits",
    labels: np.ndarray | None = None,
    *,
    trials: int = 20,
    out: str | Path | None = None,
    jobs: int | None = None,
    size: tuple[int, int] | None = None,
    fit: Literal["letterbox", "crop", "stretch"] = "letterbox",
    data_dir: str | Path | None = None,
    image_options: dict[str, Any] | None = None,
    split_options: dict[str, Any] | None = None,
    storage: str | None = None,
    command: str = "linewise.tune(…)",
    events: Events | None = None,
    **dials: Any,
) -> Study:
    """Choose the settings of each network by trials on training and validation images; the test set stays sealed.

    `compare` with the same arguments, `tune=trials` and the same `out` goes on with it.

    Args:
        trials: per network; the first has the study's recipe.
        **dials: as of `compare`, such as `tune_epochs=2` and `tune_images=10_000`.

    Other arguments are those of `compare`.

    Returns:
        The study; `study.tuning` holds trials and choices.

    Raises:
        ConfigError: a wrong dial. DataError: images that cannot be used.

    Example:
        >>> study = linewise.tune("digits", models=["lstm", "cnn"], trials=20)     # doctest: +SKIP
        >>> study.tuning.network("lstm").settings                                  # doctest: +SKIP
    """
    from linewise.study.comparison import run_tuning
    from linewise.study.config import make_config
    from linewise.study.executors import make_executor

    config = make_config(**dials, tune=trials)
    require("tune")
    image_set = _load(images, labels, size, fit, data_dir, image_options, split_options, events)
    path = Path(out) if out else fresh_folder(image_set.name)
    executor = make_executor(jobs, config.threads)
    run_tuning(image_set, config, path, executor, command=command, events=events, storage=storage)
    return Study(path)


def _load(
    images: str | Path | np.ndarray | tuple[np.ndarray, np.ndarray],
    labels: np.ndarray | None,
    size: tuple[int, int] | None,
    fit: str,
    data_dir: str | Path | None,
    image_options: dict[str, Any] | None,
    split_options: dict[str, Any] | None,
    events: Events | None,
) -> ImageSet:
    from linewise.images import ImageOptions, SplitOptions, load

    image_set = load(
        images if isinstance(images, str | Path | tuple) else _with_labels(images, labels),
        images=ImageOptions(**{"size": size, "fit": fit, **(image_options or {})}),
        splits=SplitOptions(**(split_options or {})),
        data_dir=Path(data_dir) if data_dir else None,
        progress=events is not None,
    )
    for warning in image_set.warnings:
        if events:
            events.warned(warning)
    return image_set


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
    from linewise.study import stop_times, stopping

    judged = judge(stopping.answers_along(saved, part, rule.blank), rule.doubt)
    test = StopTest(
        data=rule.data,
        num_images=len(part),
        **vars(judged),
        times=stop_times.time_reading(saved, rule, part),
        environment=environment(stop_times.THREADS),
    )
    rule = rule.model_copy(update={"test": test})
    stopping.save_rule(path, rule)
    return rule


def _check_range(name: str, value: float, most: float, what: str) -> None:
    if not 0 < value < most:
        raise ConfigError(f"{value:g}", where=name, expected=f"{what} between 0 and {most:g}")


def _with_labels(images: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if labels is None:
        raise ConfigError("an array of images without labels", where="labels", expected="one label per image")
    return images, labels


NEEDS = {
    "report": (("altair", "jinja2", "vl_convert"), "the report"),
    "tune": (("optuna",), "tuning"),
}
"""Extra → its packages, and what needs them."""


def require(extra: str) -> None:
    """Find out before hours of training that something could not be done.

    Raises:
        ConfigError: the extra is not installed.
    """
    from importlib.util import find_spec

    packages, purpose = NEEDS[extra]
    for package in packages:
        if find_spec(package) is None:
            raise missing_extra(package, extra, purpose)


def fresh_folder(name: str) -> Path:
    """A new folder under `studies/`, such as `studies/digits` or `studies/digits-2`."""
    stem = _stem(name)
    candidates = [STUDIES / stem, *(STUDIES / f"{stem}-{i}" for i in range(2, 10_000))]
    return next(path for path in candidates if not path.exists())


def latest_folder(name: str) -> Path | None:
    """The newest study of these data under `studies/`, for `--resume`."""
    stem = _stem(name)
    found = [*STUDIES.glob(f"{stem}/study.json"), *STUDIES.glob(f"{stem}-[0-9]*/study.json")]
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    return newest.parent if newest else None


def _stem(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.") or "study"
