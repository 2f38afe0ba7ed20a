"""A study's folder: where each thing lies, and reading it back. No torch.

STUDY/study.json                     the specification
STUDY/openings.jsonl                 each opening of the sealed test set
STUDY/speed.json                     how fast each network learns and answers
STUDY/tuning/                        tuning.json · journal.log: trials before the final runs, if any
STUDY/gallery.npz                    test images that some run got wrong, and a few that none did
STUDY/films.npz                      probabilities after each step for images of the most confused pairs
STUDY/runs/<label>-<seed>/           run.json · epochs.csv · predictions.npz · model.safetensors · model.json;
                                     steps.npz where the network answers after each step;
                                     checkpoint/ while the run goes on
STUDY/report/                        index.html · figures/ · results.csv · results.json
"""

from __future__ import annotations

import csv
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from linewise.foundations.arrays import (
    Films,
    Gallery,
    Predictions,
    Steps,
    read_films,
    read_gallery,
    read_learning,
    read_predictions,
    read_steps,
)
from linewise.foundations.errors import DataError
from linewise.foundations.records import Epoch, Opening, RunRecord, StudySpec, cannot_be_read, describe
from linewise.foundations.speed import Speed
from linewise.foundations.tuning import TuningRecord


@dataclass(frozen=True)
class Run:
    """One run's folder, read lazily."""

    path: Path
    record: RunRecord

    @classmethod
    def open(cls, path: Path) -> Run:
        """The run in an existing folder.

        Raises:
            DataError: the folder holds no run, or its record is damaged.
        """
        if not (path / "run.json").is_file():
            study = (path / "study.json").is_file()
            raise DataError(
                "a study, and no run" if study else "no run here (no run.json)",
                where=str(path),
                expected=f"one of the folders in {path / 'runs'}"
                if study
                else "a folder that `linewise train` wrote, or one under runs/ of a study",
            )
        return cls(path, RunRecord.load(path / "run.json"))

    @property
    def label(self) -> str:
        return self.record.model.label

    @property
    def seed(self) -> int:
        return self.record.seed

    def epochs(self) -> list[Epoch]:
        """The epoch table; epochs a diverged run did not reach are missing."""
        path = self.path / "epochs.csv"
        if not path.exists() and self.record.status != "finished":
            return []
        try:
            with path.open(newline="", encoding="utf-8") as file:
                found = [Epoch.model_validate(row) for row in csv.DictReader(file)]
        except ValidationError as error:
            raise describe(error, where=str(path), kind=DataError) from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise cannot_be_read(error, path) from None
        if not found and self.record.status == "finished":
            raise DataError(
                "no epoch is told", where=str(path), expected="a line for each epoch of a finished run"
            )
        return found

    def predictions(self, split: str) -> Predictions | None:
        """Answers on `validation` or `test`; None where the run has none (diverged, test still sealed)."""
        path = self.path / "predictions.npz"
        return read_predictions(path, split) if path.exists() else None

    def learning(self) -> np.ndarray | None:
        """Whether each validation image was recognised after each epoch, bool `EN`; None in runs of old."""
        path = self.path / "predictions.npz"
        return read_learning(path) if path.exists() else None

    def steps(self, split: str) -> Steps | None:
        """Answers after each step on `validation` or `test`; None where the network has none before its end."""
        path = self.path / "steps.npz"
        return read_steps(path, split) if path.exists() else None


class StudyFolder:
    """A study on disk.

    Raises:
        DataError: (from `open`) the folder holds no study.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path) -> StudyFolder:
        """The study in an existing folder."""
        folder = cls(path)
        if not folder.spec_path.is_file():
            raise DataError(
                "no study here (no study.json)",
                where=str(path),
                expected="a folder that `linewise compare --out` wrote",
            )
        return folder

    @property
    def spec_path(self) -> Path:
        return self.path / "study.json"

    @property
    def openings_path(self) -> Path:
        return self.path / "openings.jsonl"

    @property
    def gallery_path(self) -> Path:
        return self.path / "gallery.npz"

    @property
    def speed_path(self) -> Path:
        return self.path / "speed.json"

    @property
    def tuning_path(self) -> Path:
        return self.path / "tuning" / "tuning.json"

    @property
    def journal_path(self) -> Path:
        return self.path / "tuning" / "journal.log"

    @property
    def films_path(self) -> Path:
        return self.path / "films.npz"

    @property
    def report_path(self) -> Path:
        return self.path / "report"

    def run_path(self, label: str, seed: int) -> Path:
        return self.path / "runs" / f"{label}-{seed}"

    def spec(self) -> StudySpec:
        return StudySpec.load(self.spec_path)

    def runs(self) -> list[Run]:
        """All runs of the specification that are on disk, in its order: by model, then by seed."""
        spec = self.spec()
        found = []
        for model in spec.models:
            for seed in spec.seeds:
                path = self.run_path(model.label, seed)
                if (path / "run.json").exists():
                    record = RunRecord.load(path / "run.json")
                    if (record.model.label, record.seed) != (model.label, seed):
                        raise DataError(
                            f"the record of {record.model.label}, seed {record.seed}",
                            where=str(path / "run.json"),
                            expected=f"{model.label}, seed {seed}",
                            mend="remove this run's folder; the same `linewise compare --out` trains it again",
                        )
                    found.append(Run(path, record))
        return found

    def openings(self) -> list[Opening]:
        if not self.openings_path.exists():
            return []
        try:
            *lines, last = self.openings_path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise cannot_be_read(error, self.openings_path) from None
        found = [_opening(self.openings_path, line) for line in lines if line.strip()]
        if last.strip():  # a process was killed in the middle of this line, unless it is whole
            with suppress(DataError):
                found.append(_opening(self.openings_path, last))
        return found

    def unlogged(self) -> list[str]:
        """Names of runs that have answered the test images although no opening tells of them: somebody removed
        `openings.jsonl`, or lines of it."""
        logged = {run for opening in self.openings() for run in opening.runs}
        answered = [run.path.name for run in self.runs() if run.record.test_accuracy is not None]
        return [name for name in answered if name not in logged]

    def speed(self) -> Speed | None:
        """Times measured in alternation; None before the end, and in studies of old."""
        return Speed.load(self.speed_path) if self.speed_path.exists() else None

    def tuning(self) -> TuningRecord | None:
        """What was tried before the final runs; None where nothing was."""
        return TuningRecord.load(self.tuning_path) if self.tuning_path.exists() else None

    def gallery(self) -> Gallery | None:
        return read_gallery(self.gallery_path) if self.gallery_path.exists() else None

    def films(self) -> Films | None:
        return read_films(self.films_path) if self.films_path.exists() else None


def _opening(path: Path, line: str) -> Opening:
    try:
        return Opening.model_validate_json(line)
    except ValidationError as error:
        raise describe(error, where=str(path), kind=DataError) from None
