"""A study or a run that is on disk, told to a tracker."""

from __future__ import annotations

from pathlib import Path

from linewise.adapters.facts import Facts, Identity, names_for
from linewise.adapters.tracker import Tracker, open_tracker
from linewise.foundations.errors import ConfigError, DataError, LinewiseError
from linewise.foundations.folder import Run, StudyFolder


def log(path: str | Path, to: str) -> list[str]:
    """Tell a tracker of every run of a study, or of one run. What it holds already is not told again.

    Args:
        path: a study's folder, or that of a run.
        to: `tensorboard:FOLDER` or `mlflow:URI`.

    Returns:
        The runs, by name.

    Raises:
        ConfigError: a wrong target, a package that is not installed, or a tracker that fails.
        DataError: neither a study nor a run.
    """
    tracker = open_tracker(to, where="--to")
    try:
        return tell(Path(path), tracker)
    except LinewiseError:
        raise
    except Exception as error:
        raise ConfigError(f"the tracker failed ({in_a_line(error)})", where=to) from error
    finally:
        tracker.close()


def tell(path: Path, tracker: Tracker) -> list[str]:
    """Tell an opened tracker of what is on disk."""
    study, runs = _runs(path)
    if study is not None:
        tracker.begin(Identity.of_study(study.path, study.spec()))
    elif runs:
        record = runs[0].record
        tracker.begin(Identity.of_run(path, record.model, record.recipe, record.seed, record.data_fingerprint))
    for run in runs:
        tracker.finish(Facts.read(run, names_for(run, study)))
    return [run.path.resolve().name for run in runs]


def in_a_line(error: Exception) -> str:
    """An error of another package in a few words."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _runs(path: Path) -> tuple[StudyFolder | None, list[Run]]:
    if (path / "study.json").is_file():
        folder = StudyFolder.open(path)
        return folder, folder.runs()
    if not (path / "run.json").is_file():
        raise DataError(
            "neither a study nor a run (no study.json, no run.json)",
            where=str(path),
            expected="a folder that `linewise compare` or `linewise train` wrote",
        )
    run = Run.open(path)
    study = path.resolve().parent.parent
    return (None, [run]) if not (study / "study.json").is_file() else (StudyFolder.open(study), [run])
