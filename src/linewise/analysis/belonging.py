"""Whether the records of a study belong together; a file of another study is told before anything is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linewise.foundations.arrays import Films, Predictions
from linewise.foundations.errors import DataError
from linewise.foundations.folder import Run, StudyFolder
from linewise.foundations.records import StudySpec

AGAIN = "remove this run's folder; the same `linewise compare --out` trains it again"


def check_runs(spec: StudySpec, runs: list[Run]) -> None:
    """Refuse runs on other images.

    Raises:
        DataError: naming the run's record.
    """
    for run in runs:
        if run.record.data_fingerprint != spec.data.fingerprint:
            raise DataError(
                "this run is of other images than the study",
                where=str(run.path / "run.json"),
                expected=f"data_fingerprint {spec.data.fingerprint[:12]}…",
                mend=AGAIN,
            )


def check_answers(found: list[tuple[Run, Predictions]], split: str, classes: int) -> None:
    """Refuse answers on other images or of other classes, and answers after each step that do not go with them.

    Raises:
        DataError: naming the file.
    """
    for run, answers in found:
        same = np.array_equal(answers.labels_N, found[0][1].labels_N)
        if not same or answers.probabilities_NK.shape[1] != classes:
            raise DataError(
                "these answers are of other images" if not same else "these answers are of other classes",
                where=str(run.path / "predictions.npz"),
                expected="answers on the images of the other runs" if not same else f"{classes:,} classes",
                mend=AGAIN,
            )
        steps = run.steps(split)
        if steps is not None and (
            len(steps.answers_NT) != len(answers.labels_N) or steps.answers_NT.max(initial=0) >= classes
        ):
            raise DataError(
                f"{len(steps.answers_NT):,} {split} images, classes up to {steps.answers_NT.max(initial=0)}",
                where=str(run.path / "steps.npz"),
                expected=f"{len(answers.labels_N):,} images of {classes} classes, as in predictions.npz",
                mend=AGAIN,
            )
        learning = run.learning() if split == "validation" else None
        if learning is not None and (not len(learning) or learning.shape[1] != len(answers.labels_N)):
            raise DataError(
                f"validation_epochs is of {learning.shape[0]} epochs and {learning.shape[1]:,} images",
                where=str(run.path / "predictions.npz"),
                expected=f"an epoch at least, {len(answers.labels_N):,} images",
                mend=AGAIN,
            )


def check_tuning(folder: StudyFolder, spec: StudySpec) -> None:
    """Refuse the tuning of another study.

    Raises:
        DataError: naming the record.
    """
    tuning = folder.tuning()
    if tuning and (tuning.data_fingerprint != spec.data.fingerprint or tuning.plan != spec.tuning):
        raise DataError(
            "this is the tuning of another study",
            where=str(folder.tuning_path),
            expected="the images and the plan of study.json",
            mend="put the study's own file back",
        )


def fitting_films(films: Films | None, path: Path, num_images: int, classes: int) -> Films | None:
    """Films, if they can be of these images.

    Raises:
        DataError: they cannot.
    """
    if films is None:
        return None
    inside = not len(films.indices_F) or 0 <= films.indices_F.min() <= films.indices_F.max() < num_images
    whole = all(p.shape[2] == classes for p in films.probabilities.values())
    if not (inside and whole and all(seen.size for seen in films.seen.values())):
        raise DataError(
            "these are films of other images or classes",
            where=str(path),
            expected=f"{num_images:,} images, {classes} classes",
            mend="remove the file: the report does without film strips",
        )
    return films
