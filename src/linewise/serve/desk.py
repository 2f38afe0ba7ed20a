"""The models a server answers with, loaded and checked before it listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linewise.foundations.errors import ConfigError, DataError
from linewise.foundations.folder import StudyFolder
from linewise.models.saved import Saved
from linewise.study.prediction import RunModel


@dataclass(frozen=True)
class Served:
    """One model of a server.

    Attributes:
        name: what clients call it; unique.
        run: its folder.
        study: the study it is from, where there is one.
    """

    name: str
    answerer: RunModel
    saved: Saved
    run: Path
    study: Path | None


@dataclass
class Desk:
    """The models by name, in the order they were given; the first is the one that answers where none is named.

    Models that come and go give it another dictionary, so that whoever goes through one is not disturbed.
    """

    models: dict[str, Served]

    @classmethod
    def open(cls, paths: Sequence[Path]) -> Desk:
        """Load runs; a study's folder stands for its runs of the first seed.

        Raises:
            SavedModelError: a model is damaged or missing. DataError: a study without runs.
            ConfigError: no path, or one run twice.
        """
        runs = [run for path in paths for run in _runs(path)]
        if not runs:
            raise ConfigError("no model to serve", expected="at least one run's folder, or a study's")
        if twice := [str(run) for run, times in Counter(run.resolve() for run in runs).items() if times > 1]:
            raise ConfigError("the same run is given twice", where=twice[0], mend="name it once")
        counts = Counter(run.resolve().name for run in runs)
        models: dict[str, Served] = {}
        for run in runs:
            study = run.resolve().parent.parent
            name = run.resolve().name
            name = name if counts[name] == 1 else f"{study.name}:{name}"
            if name in models:
                raise ConfigError(f"two models would be called {name!r}", where=str(run), mend="rename a folder")
            answerer = RunModel(run)
            kept = study if (study / "study.json").is_file() else None
            models[name] = Served(name, answerer, answerer.saved, run, kept)
        return cls(models)

    def add(self, served: Served) -> None:
        """One more model, after the others."""
        self.models = {**self.models, served.name: served}

    def remove(self, name: str) -> None:
        """Forget a model, if it is there."""
        self.models = {other: served for other, served in self.models.items() if other != name}

    @property
    def first(self) -> Served:
        return next(iter(self.models.values()))


def _runs(path: Path) -> list[Path]:
    if not (path / "study.json").is_file():
        return [path]
    found = [run for run in StudyFolder(path).runs() if run.record.status == "finished"]
    kept = [run.path for run in found if run.seed == min(run.seed for run in found)]
    if not kept:
        raise DataError("the study has no finished run", where=str(path), expected="runs with a trained model")
    return kept
