"""Linewise from Python: the same study as on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from linewise.foundations.errors import ConfigError, missing_extra
from linewise.foundations.folder import StudyFolder

if TYPE_CHECKING:
    import numpy as np

    from linewise.study.comparison import Events

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
        records = [self.folder.spec_path, *self.path.glob("runs/*/run.json")]
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
        command: what is noted in the study as its origin.
        events: what to call as the study goes on.
        **dials: `models=[…]`, `seeds=5`, `epochs=5`, `match="params"`, `budget=80_000` and the other fields of
            `linewise.study.config.CompareConfig`.

    Raises:
        ConfigError: a wrong dial. DataError: images that cannot be used.

    Example:
        >>> study = linewise.compare("digits", models=["lstm", "cnn"], seeds=5)    # doctest: +SKIP
        >>> study.answer                                                           # doctest: +SKIP
    """
    from linewise.images import ImageOptions, SplitOptions, load
    from linewise.study.comparison import run_study
    from linewise.study.config import make_config
    from linewise.study.executors import make_executor

    config = make_config(**dials)
    source = images if isinstance(images, str | Path | tuple) else _with_labels(images, labels)
    image_set = load(
        source,
        images=ImageOptions(**{"size": size, "fit": fit, **(image_options or {})}),
        splits=SplitOptions(**(split_options or {})),
        data_dir=Path(data_dir) if data_dir else None,
        progress=events is not None,
    )
    for warning in image_set.warnings:
        if events:
            events.warned(warning)
    path = Path(out) if out else fresh_folder(image_set.name)
    if report:
        require_report()
    run_study(image_set, config, path, make_executor(jobs, config.threads), command=command, events=events)
    study = Study(path)
    if report and not study.report_is_current:
        study.report()
    return study


def _with_labels(images: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if labels is None:
        raise ConfigError("an array of images without labels", where="labels", expected="one label per image")
    return images, labels


def require_report() -> None:
    """Find out before hours of training that the report could not be drawn.

    Raises:
        ConfigError: the extra `report` is not installed.
    """
    from importlib.util import find_spec

    for package in ("altair", "jinja2", "vl_convert"):
        if find_spec(package) is None:
            raise missing_extra(package, "report", "the report")


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
