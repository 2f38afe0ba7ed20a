"""What a study's records say of a model on the desk: its answers on test images, their pictures, its cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field

from linewise.analysis.intervals import Interval
from linewise.foundations.arrays import Gallery, Predictions
from linewise.foundations.errors import LinewiseError
from linewise.foundations.folder import Run, StudyFolder
from linewise.foundations.records import Cost, RunRecord
from linewise.serve.desk import Served
from linewise.serve.views.examples import png

ModelName = Annotated[str, Field(max_length=200, description="One of `/v1/page`.", examples=["lstm-0"])]
DAMAGED = "The records of {} cannot be read; `linewise report` tells why."


@dataclass(frozen=True, eq=False)
class Tested:
    """Answers of a run on all test images of its study.

    Attributes:
        answers: on the test images.
        gallery: pictures of some of them; None where the study kept none.
    """

    answers: Predictions
    gallery: Gallery | None

    def pictured(self, chosen_N: np.ndarray) -> np.ndarray:
        """Of the chosen images (bool `N`), places in the gallery of those that have a picture."""
        if self.gallery is None:
            return np.empty(0, np.int64)
        return np.flatnonzero(chosen_N[self.gallery.indices_G])


class NotTested(Exception):  # noqa: N818 - nothing failed
    """There are no test answers; the message says why, for a person."""


class Share(BaseModel):
    """A share of images, from 0 to 1 (a difference: from -1 to 1), with its 95 % interval."""

    estimate: float
    low: float
    high: float
    num_images: int

    @classmethod
    def of(cls, interval: Interval) -> Share:
        return cls(
            estimate=interval.estimate, low=interval.low, high=interval.high, num_images=interval.num_images
        )


class Picture(BaseModel):
    """A test image.

    Attributes:
        index: its place in the test set, from 0.
        true: name of its class.
        answers: names of the classes that the models asked about answered.
        sure: the probabilities of these answers.
        image: PNG in base64.
        exact: the picture is what the network saw, pixel for pixel.
    """

    index: int
    true: str
    answers: list[str]
    sure: list[float] = Field(description="From 0 to 1.")
    image: str
    exact: bool


def tested(served: Served) -> Tested:
    """What is known of a model on the test images.

    Raises:
        NotTested: it is from no study, its test set is sealed still, or the records are damaged.
    """
    if served.study is None:
        raise NotTested(f"{served.name} is from no study, so there are no answers on test images to show.")
    try:
        found = _read(served.study, served.run, _changed(served.run / "predictions.npz"))
    except LinewiseError:
        raise NotTested(DAMAGED.format(served.name)) from None
    if found is None:
        raise NotTested(f"The test images of the study of {served.name} are still sealed.")
    if found.answers.probabilities_NK.shape[1] != len(served.answerer.class_names):
        raise NotTested(DAMAGED.format(served.name))
    return found


def cost(served: Served) -> Cost | None:
    """What the run's record says it costs; None without one."""
    try:
        return RunRecord.load(served.run / "run.json").model.cost
    except LinewiseError:
        return None


def pictures(
    served: list[Served], found: list[Tested], places_G: np.ndarray, class_names: list[str]
) -> list[Picture]:
    """The pictures at these places of the gallery, with the answers of each model."""
    gallery = found[0].gallery
    if gallery is None:
        return []
    preprocessing = served[0].answerer.preprocessing
    shape = (preprocessing.height, preprocessing.width, preprocessing.channels)
    told = []
    for place in places_G:
        index = int(gallery.indices_G[place])
        answered = [int(each.answers.predicted_N[index]) for each in found]
        sure = [float(each.answers.probabilities_NK[index, k]) for each, k in zip(found, answered, strict=True)]
        told.append(
            Picture(
                index=index,
                true=class_names[found[0].answers.labels_N[index]],
                answers=[class_names[k] for k in answered],
                sure=[round(p, 4) for p in sure],
                image=png(gallery.images_GHWC[place]),
                exact=gallery.images_GHWC.shape[1:] == shape,
            )
        )
    return told


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=64)
def _read(study: Path, run: Path, changed: int) -> Tested | None:
    """Read once, and again where the file has changed."""
    answers = Run(run, RunRecord.load(run / "run.json")).predictions("test")
    if answers is None:
        return None
    try:
        gallery = StudyFolder(study).gallery()
    except LinewiseError:  # the counts can do without pictures
        gallery = None
    if gallery is not None and len(gallery.indices_G) and not _within(gallery.indices_G, len(answers.labels_N)):
        gallery = None
    return Tested(answers, gallery)


def _within(indices_G: np.ndarray, count: int) -> bool:
    return int(indices_G.min()) >= 0 and int(indices_G.max()) < count
