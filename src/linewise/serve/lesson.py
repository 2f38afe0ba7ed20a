"""One lesson: drawings of a few classes become a run, trained by the loop that trains all others.

A quarter of the drawings of each class, at least one, is kept apart to examine the reader. The others are learned
from again and again, moved, turned and scaled anew each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from linewise.foundations.defaults import READ_ALONG
from linewise.foundations.errors import DataError
from linewise.foundations.records import DataRecord, Epoch, Recipe, RunRecord
from linewise.images.batches import Batches
from linewise.images.checking.duplicates import fingerprint
from linewise.images.preprocessing import Geometry, Preprocessing
from linewise.images.sets import Part
from linewise.models import specify
from linewise.study.job import Job, share, write_run
from linewise.study.prediction import RunModel
from linewise.training.loop import train

SIDE = 28
NETWORK, HIDDEN = "lstm", 48
EPOCHS, BATCH = 80, 64
AUGMENT = {"shift": 2.0, "rotate": 15.0, "scale": 0.15}
"""Tried on scribbled circles, squares, triangles and zigzags, one seed, 50 new drawings of each: learned from 2 of
each, 60 epochs are right on 96 %, from 4 on all; 120 epochs or 64 units are no better."""
APART = 0.25
DRAWINGS = Geometry(height=SIDE, width=SIDE, channels=1)
PAPER = Preprocessing(**DRAWINGS.model_dump(), mean=[0.1], std=[0.3])
"""What drawings are prepared for: light ink on dark."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """All it takes to teach one reader.

    Attributes:
        training: drawings to learn from; each is there several times where there are few, so that a batch is full.
        apart: drawings to examine it with.
    """

    name: str
    job: Job
    training: Part
    apart: Part
    copies: int

    @classmethod
    def of(
        cls, name: str, workplace: Path, class_names: list[str], drawings: list[np.ndarray], threads: int
    ) -> Lesson:
        """From the drawings of each class, uint8 `NHWC`, at least two of each."""
        training, apart = _divide(drawings)
        preprocessing = Preprocessing.measure(DRAWINGS, training.images_NHWC).model_dump(mode="json")
        parts = {"train": training, "validation": apart}
        data = DataRecord(
            name="drawings",
            fingerprint=fingerprint(
                tuple(class_names), {split: (part.images_NHWC, part.labels_N) for split, part in parts.items()}
            ),
            class_names=class_names,
            shape=(SIDE, SIDE, 1),
            counts={
                split: dict(zip(class_names, part.counts(len(class_names)), strict=True))
                for split, part in parts.items()
            },
            preprocessing=preprocessing,
        )
        model = specify(
            NETWORK, {"hidden": HIDDEN}, num_classes=len(class_names), in_chans=1, img_size=(SIDE, SIDE)
        )
        dials = {"epochs": EPOCHS, "batch_size": BATCH, "augment": AUGMENT, "read_along": READ_ALONG}
        job = Job(
            model, 0, Recipe.model_validate(dials), data, share(training, workplace, "train"),
            share(apart, workplace, "apart"), threads, workplace / name, workplace / "beat.json",
        )  # fmt: skip
        return cls(name, job, training, apart, max(1, BATCH // len(training.labels_N)))


def learn(
    lesson: Lesson, on_step: Callable[[int, int], None], on_epoch: Callable[[Epoch], None]
) -> tuple[RunModel, RunRecord]:
    """Train, and leave a whole run folder.

    Raises:
        DataError: the training diverged.
        Whatever `on_step` raises, to stop it.
    """
    torch.set_flush_denormal(True)  # for this thread; see `pin_threads`
    started = datetime.now(UTC).isoformat(timespec="seconds")
    job = lesson.job
    images_NHWC, labels_N = (
        np.repeat(np.asarray(a), lesson.copies, axis=0)
        for a in (lesson.training.images_NHWC, lesson.training.labels_N)
    )
    mean, std = job.data.preprocessing["mean"], job.data.preprocessing["std"]
    training = Batches(images_NHWC, labels_N, mean, std)
    apart = Batches(lesson.apart.images_NHWC, lesson.apart.labels_N, mean, std)
    network = job.network()
    outcome = train(network, training, apart, job.recipe, job.seed, on_step=on_step, on_epoch=on_epoch)
    if outcome.diverged:
        raise DataError(outcome.diverged)
    write_run(job, network, outcome, training, apart, started)
    return RunModel(job.path), RunRecord.load(job.path / "run.json")


def _divide(drawings: list[np.ndarray]) -> tuple[Part, Part]:
    """Drawings to learn from, and those kept apart: the last quarter of each class."""
    kept: tuple[list[np.ndarray], list[np.ndarray]] = [], []
    labels: tuple[list[int], list[int]] = [], []
    for label, drawings_NHWC in enumerate(drawings):
        first = len(drawings_NHWC) - max(1, round(APART * len(drawings_NHWC)))
        for part, images_NHWC in enumerate((drawings_NHWC[:first], drawings_NHWC[first:])):
            kept[part].append(images_NHWC)
            labels[part].extend([label] * len(images_NHWC))
    training, apart = (
        Part(np.concatenate(images), np.array(numbers, np.int64))
        for images, numbers in zip(kept, labels, strict=True)
    )
    return training, apart
