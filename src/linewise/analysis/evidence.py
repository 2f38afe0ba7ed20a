"""The runs of a study, gathered by network and read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linewise.analysis.belonging import check_answers, check_runs, check_tuning
from linewise.foundations.arrays import Predictions
from linewise.foundations.folder import Run, StudyFolder
from linewise.foundations.records import Family, ModelSpec, StudySpec

SPLITS = ("validation", "test")


class NetworkEvidence:
    """One network of a study with its runs.

    Attributes:
        spec: label, sizes, cost.
        runs: all runs that are on disk, diverged and failed ones included.
    """

    def __init__(self, spec: ModelSpec, runs: list[Run]) -> None:
        self.spec, self.runs = spec, runs
        self._answers: dict[str, list[tuple[Run, Predictions]]] = {}

    @property
    def label(self) -> str:
        return self.spec.label

    @property
    def family(self) -> Family:
        return self.spec.family

    @property
    def finished(self) -> list[Run]:
        """Runs that came to their end."""
        return [run for run in self.runs if run.record.status == "finished"]

    def answers(self, split: str) -> list[Predictions]:
        """Answers of each finished run on `validation` or `test`, where it has them."""
        return [answers for _, answers in self.found(split)]

    def answered(self, split: str) -> list[Run]:
        """The runs that `answers` are of, in the same order."""
        return [run for run, _ in self.found(split)]

    def correct_SN(self, split: str) -> np.ndarray | None:
        """Whether each run was right on each image, bool; None without answers."""
        answers = self.answers(split)
        return np.stack([a.correct_N for a in answers]) if answers else None

    def found(self, split: str) -> list[tuple[Run, Predictions]]:
        """Finished runs with their answers on a split."""
        if split not in self._answers:
            found = [(run, run.predictions(split)) for run in self.finished]
            self._answers[split] = [(run, answers) for run, answers in found if answers is not None]
        return self._answers[split]


@dataclass(frozen=True)
class Evidence:
    """All of a study that analysis needs."""

    folder: StudyFolder
    spec: StudySpec
    networks: list[NetworkEvidence]

    @classmethod
    def gather(cls, folder: StudyFolder) -> Evidence:
        """Read a study's records.

        Raises:
            DataError: a damaged file, or one of another study.
        """
        spec, runs = folder.spec(), folder.runs()
        check_runs(spec, runs)
        check_tuning(folder, spec)
        by_label = {m.label: NetworkEvidence(m, [r for r in runs if r.label == m.label]) for m in spec.models}
        networks = list(by_label.values())
        for split in SPLITS:
            found = [pair for network in networks for pair in network.found(split)]
            check_answers(found, split, len(spec.data.class_names))
        return cls(folder, spec, networks)

    @cached_property
    def split(self) -> str:
        """`test` once any network was examined, `validation` before."""
        return "test" if any(network.answers("test") for network in self.networks) else "validation"

    @cached_property
    def labels_N(self) -> np.ndarray:
        """True classes of the images of `split`; empty without any answers."""
        for network in self.networks:
            if answers := network.answers(self.split):
                return answers[0].labels_N
        return np.zeros(0, dtype=np.int64)

    def family(self, family: Family) -> list[NetworkEvidence]:
        """Networks of a family that have answers."""
        return [n for n in self.networks if n.family == family and n.answers(self.split)]
