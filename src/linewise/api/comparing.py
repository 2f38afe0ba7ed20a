"""`compare` and `tune`: from images to a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from linewise.api.folders import fresh_folder, require
from linewise.api.study import Study
from linewise.foundations.disk import staying
from linewise.foundations.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from linewise.images import ImageSet
    from linewise.study.config import CompareConfig
    from linewise.study.events import Events
    from linewise.study.executors import Executor


def compare(
    images: str | Path | np.ndarray | tuple[np.ndarray, np.ndarray] = "digits",
    labels: np.ndarray | None = None,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    on: str | None = None,
    size: tuple[int, int] | None = None,
    fit: Literal["letterbox", "crop", "stretch"] = "letterbox",
    data_dir: str | Path | None = None,
    image_options: dict[str, Any] | None = None,
    split_options: dict[str, Any] | None = None,
    report: bool = True,
    storage: str | None = None,
    seeds_at_once: int = 1,
    checkpoint_s: float = 30.0,
    hang_s: float = 300.0,
    log: str | None = None,
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
        on: a Ray cluster where runs are computed, `ray`, `HOST:PORT` or `ray://HOST:PORT`; see docs/cluster.md.
        size: height and width the networks see; None takes that of the images.
        fit: how images are brought to that size.
        data_dir: where named data sets lie.
        image_options: further options of `linewise.images.ImageOptions`.
        split_options: options of `linewise.images.SplitOptions`, such as `{"images": 40_000}`.
        report: make the report at the end.
        storage: a database that keeps the trials of the tuning, `postgresql://…`, for several machines.
        seeds_at_once: final runs of one network trained as one computation; see docs/gpu.md.
        checkpoint_s: seconds from one checkpoint of a run to the next; see docs/reliability.md.
        hang_s: seconds without a sign of life after which a worker process is stopped and its run tried again;
            0: never.
        log: an experiment tracker that is told too, `tensorboard:FOLDER` or `mlflow:URI`; see docs/trackers.md.
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
    from linewise.adapters import open_tracker, telling
    from linewise.study.dials import make_config
    from linewise.study.executors import load_parts

    config = make_config(**dials)
    if report:
        require("report")
    if config.tune:
        require("tune")
    if log is not None:
        open_tracker(log)  # refused before hours of training, not after
    with _executor(config, jobs, on, hang_s) as executor:
        if not out or not (Path(out) / "study.json").exists():  # else perhaps nothing is left to do
            executor.begin(load_parts, config.seeds * len(config.models))
        from linewise.study.comparison import run_study

        image_set = _load(images, labels, size, fit, data_dir, image_options, split_options, events)
        path = Path(out) if out else fresh_folder(image_set.name)
        with telling(log, path, events) as heard:
            run_study(
                image_set, config, path, executor, command=command, events=heard, storage=storage,
                seeds_at_once=seeds_at_once, checkpoint_s=checkpoint_s,
            )  # fmt: skip
    with staying(path / "study.json", f"the same command with --out {path} writes the report"):
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
    on: str | None = None,
    size: tuple[int, int] | None = None,
    fit: Literal["letterbox", "crop", "stretch"] = "letterbox",
    data_dir: str | Path | None = None,
    image_options: dict[str, Any] | None = None,
    split_options: dict[str, Any] | None = None,
    storage: str | None = None,
    hang_s: float = 300.0,
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
    from linewise.study.executors import load_parts

    config = make_config(**dials, tune=trials)
    require("tune")
    with _executor(config, jobs, on, hang_s) as executor:
        if not out or not (Path(out) / "study.json").exists():
            executor.begin(load_parts, trials * len(config.models))
        image_set = _load(images, labels, size, fit, data_dir, image_options, split_options, events)
        path = Path(out) if out else fresh_folder(image_set.name)
        run_tuning(image_set, config, path, executor, command=command, events=events, storage=storage)
    return Study(path)


def _executor(config: CompareConfig, jobs: int | None, on: str | None, hang_s: float) -> Executor:
    from linewise.study.executors import make_executor

    if on is not None and config.device != "cpu":
        raise ConfigError(
            f"--device {config.device}, and a cluster computes on processors", where=f"--on {on}",
            mend="leave one of the two out",
        )  # fmt: skip
    return make_executor(jobs, config.threads, hang_s, on)


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


def _with_labels(images: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if labels is None:
        raise ConfigError("an array of images without labels", where="labels", expected="one label per image")
    return images, labels
