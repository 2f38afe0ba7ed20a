"""What this machine does with networks, beside a plain matrix product: the record of `linewise bench`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from linewise.foundations.records import SCHEMA_VERSION, Environment, ModelSpec, Record
from linewise.foundations.speed import Turns

TRAIN, MANY, ONE = "train", "1000", "1"
"""Kinds of work, as in `foundations.speed`."""
ProbeKind = Literal["product", "convolution"]


class Spread(Record):
    """Median and quartiles over rounds."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else [*values] * 3
        return cls(median=median, low=low, high=high, n=len(values))


class Probe(Record):
    """Work that libraries do best, in turns with the training of the networks.

    Attributes:
        kind: a large square matrix product (`torch.mm`), or a 3×3 convolution. They may differ: on processors that
            are not Intel's, MKL multiplies matrices with half of the vectors' width.
        flops: floating-point operations of one; a multiply-accumulate counts as two.
        seconds: for one, one value per round.
    """

    kind: ProbeKind
    threads: int = Field(ge=1)
    flops: int = Field(ge=1)
    seconds: list[float] = Field(min_length=1)

    @property
    def flops_per_s(self) -> list[float]:
        """By round."""
        return [self.flops / s for s in self.seconds]


class Timed(Record):
    """One network in turns with the others.

    Attributes:
        layers: whose recurrent layers it ran on; `torch` where a network with kernels of ours ran on torch's too.
        training_macs: multiply-accumulates of one image's forward and backward pass.
        work: `train`, `1000` and `1` to the times.
    """

    model: ModelSpec
    layers: Literal["linewise", "torch"] = "linewise"
    training_macs: int = Field(ge=0)
    work: dict[str, Turns]


class Bench(Record):
    """Everything measured, and the tables that follow from it.

    Attributes:
        date: YYYY-MM-DD.
        shape: height, width, channels.
        probes: those at the networks' own threads first.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    date: str
    environment: Environment
    shape: tuple[int, int, int]
    budget: int | None
    match: str
    batch_size: int
    probes: list[Probe]
    networks: list[Timed]

    def share(self, timed: Timed, *kinds: str) -> Spread:
        """Training's rate of operations as a fraction of the probe's on as many threads, round by round.

        Args:
            kinds: `product`, `convolution` or both: the faster of them.
        """
        threads = self.environment.threads
        probes = [p.flops_per_s for p in self.probes if p.kind in kinds and p.threads == threads]
        rates = [2 * timed.training_macs * rate for rate in timed.work[TRAIN].images_per_s]
        best = [max(together) for together in zip(*probes, strict=True)]
        return Spread.of([rate / peak for rate, peak in zip(rates, best, strict=True)])

    def beside_torch(self, timed: Timed, work: str) -> Spread | None:
        """Time of the same network on torch's own layers divided by its time; None where it ran on them alone."""
        if timed.layers == "torch":
            return None
        for other in self.networks:
            if other.layers == "torch" and other.model.label == timed.model.label:
                pairs = zip(other.work[work].seconds, timed.work[work].seconds, strict=True)
                return Spread.of([torchs / ours for torchs, ours in pairs])
        return None

    def rows(self) -> list[dict[str, Any]]:
        """One row per network: plain data with medians and quartiles."""
        return [self._row(timed) for timed in self.networks]

    def _row(self, timed: Timed) -> dict[str, Any]:
        beside = {work: self.beside_torch(timed, work) for work in (TRAIN, MANY, ONE)}
        return {
            "network": timed.model.label,
            "layers": timed.layers,
            "parameters": timed.model.cost.parameters,
            "macs": timed.model.cost.macs,
            "training_macs": timed.training_macs,
            "share_of_product": self.share(timed, "product").model_dump(),
            "share_of_best": self.share(timed, "product", "convolution").model_dump(),
            "training_images_per_s": Spread.of(timed.work[TRAIN].images_per_s).model_dump(),
            "inference_images_per_s": Spread.of(timed.work[MANY].images_per_s).model_dump(),
            "latency_ms": Spread.of([1e3 * s for s in timed.work[ONE].seconds]).model_dump(),
            "beside_torch": {work: spread.model_dump() for work, spread in beside.items() if spread},
        }
