"""How fast networks are: `STUDY/speed.json`."""

from __future__ import annotations

import statistics
from typing import Annotated, Literal

from pydantic import Field

from linewise.foundations.records import SCHEMA_VERSION, Environment, Latency, Record


class Turns(Record):
    """Times of one network at one kind of work.

    Attributes:
        label: of the network in the study.
        images: in one piece of work.
        seconds: for one piece of work, one value per round; in each round all networks took their turns.
    """

    label: str
    images: int = Field(ge=1)
    seconds: list[Annotated[float, Field(gt=0)]] = Field(min_length=1)

    @property
    def images_per_s(self) -> list[float]:
        """By round."""
        return [self.images / s for s in self.seconds]

    def latency(self) -> Latency:
        """Median and quartiles over rounds."""
        low, median, high = statistics.quantiles(self.seconds, n=4) if len(self.seconds) > 1 else self.seconds * 3
        return Latency(
            batch_size=self.images,
            median_ms=1e3 * median,
            low_ms=1e3 * low,
            high_ms=1e3 * high,
            repeats=len(self.seconds),
        )


class Speed(Record):
    """All networks of a study, measured together in alternation when nothing else of the study ran.

    Attributes:
        work: `train` (the training loop, evaluation left out), or a batch size (`1`, `1000`: a forward pass).
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    environment: Environment
    work: dict[str, list[Turns]]

    def turns(self, work: str, label: str) -> Turns | None:
        return next((turns for turns in self.work.get(work, []) if turns.label == label), None)
