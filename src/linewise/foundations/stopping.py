"""When a reader may stop before the image ends: the rule, what vouches for it, and what it did on test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from linewise.foundations.records import Environment, Record

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Answered:
    """A reader's answers after each step on the images of one split.

    Attributes:
        answers_NT: class answered.
        doubt_NT: probability of all other classes together.
        labels_N: true classes.
        blank_N: blank steps at the beginning, which need not be computed.
    """

    answers_NT: np.ndarray
    doubt_NT: np.ndarray
    labels_N: np.ndarray
    blank_N: np.ndarray

    @property
    def full_N(self) -> np.ndarray:
        """Whether full reading is right, bool."""
        return self.answers_NT[:, -1] == self.labels_N


class Between(Record):
    """An estimate with its 95 % interval; fractions of 1."""

    estimate: float
    low: float
    high: float


class StopPoint(Record):
    """What another threshold would have done on the test images.

    Attributes:
        doubt: the threshold.
        read: mean share of the steps that is read.
        accuracy: of the answers then.
    """

    doubt: float
    read: float
    accuracy: float


class StopTime(Record):
    """Seconds of one way to read: rounds in alternation with the other ways, warm.

    Attributes:
        way: `whole` (all steps in one pass), `steps` (one after another, to the end) or `stopping`.
        batch_size: images read together.
        images: images of each round.
        seconds: of each round.
    """

    way: Literal["whole", "steps", "stopping"]
    batch_size: int = Field(ge=1)
    images: int = Field(ge=1)
    seconds: list[float]


class StopTest(Record):
    """What the rule did on the test images.

    Attributes:
        data: the images' name.
        num_images: how many.
        full, stopped: accuracy of reading all and of stopping by the rule.
        loss: `full - stopped`, paired by image.
        read: share of the steps that was read.
        computed: share of the steps that was computed: the blank steps at the beginning are looked up.
        curve: other thresholds.
        times: what it saves.
        environment: where it was timed.
    """

    data: str
    num_images: int = Field(ge=1)
    full: Between
    stopped: Between
    loss: Between
    read: Between
    computed: Between
    curve: list[StopPoint] = Field(default_factory=list)
    times: list[StopTime] = Field(default_factory=list)
    environment: Environment | None = None


class StopRule(Record):
    """`stop.json` in a run's folder: stop as soon as the other classes together have at most `doubt`.

    Attributes:
        sha256: of the weights it was found for; with others it means nothing.
        data: the images that vouch for it.
        doubt: largest probability of all classes but the most likely one with which reading stops; None where no
            threshold keeps the promise, and all is read.
        budget: accuracy that may be lost, as a fraction; on average over images like these.
        confidence: probability, over the choice of the images, that no more is lost.
        num_images: images that vouch for it.
        num_lost: of these, right after full reading and wrong when stopped.
        num_won: of these, wrong after full reading and right when stopped.
        bound: what may be lost at most, with this confidence; `budget` or less.
        num_steps: T, the whole reading.
        read: mean share of the steps that was read of these images.
        blank: the pixel (its channels, 0 to 255) of which blank steps consist; None where steps are never blank.
        test: what it did on test images, where they were opened.
    """

    format: Literal["linewise-stop"] = "linewise-stop"
    schema_version: Literal[1] = FORMAT_VERSION
    sha256: str
    data: str
    doubt: float | None = Field(None, ge=0, lt=1)
    budget: float = Field(gt=0, lt=1)
    confidence: float = Field(gt=0, lt=1)
    num_images: int = Field(ge=1)
    num_lost: int = Field(ge=0)
    num_won: int = Field(ge=0)
    bound: float = Field(ge=0, le=1)
    num_steps: int = Field(ge=1)
    read: float = Field(gt=0, le=1)
    blank: list[Annotated[int, Field(ge=0, le=255)]] | None = None
    test: StopTest | None = None
