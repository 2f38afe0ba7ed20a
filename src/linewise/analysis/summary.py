"""A study in numbers: what tables, the report and the Python API show."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from linewise.analysis.answer import Answer, answer
from linewise.analysis.depth import Depth, depth
from linewise.analysis.difficulty import Difficulty, difficulty
from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.analysis.intervals import Interval, accuracy
from linewise.analysis.overlap import ClassPairs, Ensembles, Overlap, class_pairs, ensembles, overlap
from linewise.analysis.speed import Speeds, speeds
from linewise.analysis.statistics.panel import Panel, panel
from linewise.analysis.statistics.sight import Sight, sight
from linewise.analysis.tuning import Tuning, tuning
from linewise.analysis.verdicts import Verdicts, weigh
from linewise.foundations.folder import Run, StudyFolder
from linewise.foundations.records import Latency


@dataclass(frozen=True)
class NetworkSummary:
    """One network over its seeds.

    Attributes:
        train, validation, test: mean accuracies; None before there are any. `train` has no interval, because its
            images were learned.
        train_s, images_per_s: medians over runs that were trained alone; None where all were trained several seeds
            at once: the share of such a run is no speed of one network.
        latency: by batch size; medians over runs.
    """

    label: str
    family: str
    parameters: int
    macs: int
    activation_bytes: int
    sequential_depth: int | None
    miss: float | None
    note: str
    num_finished: int
    num_diverged: int
    num_failed: int
    train: float | None
    validation: Interval | None
    test: Interval | None
    train_s: float | None
    images_per_s: float | None
    latency: dict[int, Latency]


@dataclass(frozen=True)
class Summary:
    """A whole study."""

    evidence: Evidence
    networks: list[NetworkSummary]
    conclusion: Answer

    @property
    def answer(self) -> str:
        return self.conclusion.text

    @cached_property
    def overlap(self) -> Overlap | None:
        """Whether the families err on different images; None unless both have answers."""
        return overlap(self.evidence)

    @cached_property
    def ensembles(self) -> Ensembles | None:
        """What one network of each family gains over two of one; None unless both have answers."""
        return ensembles(self.evidence)

    @cached_property
    def class_pairs(self) -> ClassPairs | None:
        """Which classes one family confuses more often; None unless both have answers."""
        return class_pairs(self.evidence)

    @cached_property
    def depth(self) -> Depth | None:
        """After how much of the reading answers stay; None where no network answers after each step."""
        return depth(self.evidence)

    @cached_property
    def difficulty(self) -> Difficulty | None:
        """How hard each image is; None without answers."""
        return difficulty(self.evidence)

    @cached_property
    def speeds(self) -> Speeds | None:
        """Speeds measured in alternation; None before the end, and in studies of old."""
        return speeds(self.evidence)

    @cached_property
    def tuning(self) -> Tuning | None:
        """The trials before the final runs; None where nothing was tuned."""
        return tuning(self.evidence)

    @cached_property
    def verdicts(self) -> Verdicts:
        """What this study says of each claim."""
        return weigh(self)

    @cached_property
    def panel(self) -> Panel:
        """Every two networks compared, on test images or, before there are answers, on validation images."""
        return panel(self.evidence)

    @cached_property
    def sight(self) -> Sight | None:
        """What could be seen between the networks of the answer; None unless both families have answers."""
        return sight(self.evidence)

    @property
    def seeds_at_once(self) -> int:
        """The most seeds that were trained at once."""
        times = [run.record.times for network in self.evidence.networks for run in network.runs]
        return max((t.seeds_at_once for t in times if t), default=1)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per network."""
        return [_row(network) for network in self.networks]

    def run_rows(self) -> list[dict[str, Any]]:
        """One flat row per run, diverged and failed ones included; the columns of `results.csv`."""
        sizes = sorted({1, 1000, *(size for network in self.networks for size in network.latency)})
        return [_run_row(run, sizes) for network in self.evidence.networks for run in network.runs]


def summarise(folder: StudyFolder) -> Summary:
    """Read a study's records and compute what is shown of it."""
    evidence = Evidence.gather(folder)
    return Summary(evidence, [_summarise(network) for network in evidence.networks], answer(evidence))


def _summarise(network: NetworkEvidence) -> NetworkSummary:
    status = [run.record.status for run in network.runs]
    times = [run.record.times for run in network.finished if run.record.times]
    alone = [t for t in times if t.seeds_at_once == 1]
    train = [run.record.train_accuracy for run in network.finished if run.record.train_accuracy is not None]
    sizes = sorted({latency.batch_size for t in times for latency in t.latency})
    cost = network.spec.cost
    return NetworkSummary(
        label=network.label,
        family=network.family,
        parameters=cost.parameters,
        macs=cost.macs,
        activation_bytes=cost.activation_bytes,
        sequential_depth=cost.sequential_depth,
        miss=network.spec.miss,
        note=network.spec.note,
        num_finished=status.count("finished"),
        num_diverged=status.count("diverged"),
        num_failed=status.count("failed"),
        train=statistics.fmean(train) if train else None,
        validation=_interval(network, "validation"),
        test=_interval(network, "test"),
        train_s=statistics.median(t.train_s for t in alone) if alone else None,
        images_per_s=statistics.median(t.images_per_s for t in alone) if alone else None,
        latency={size: _latency([x for t in times for x in t.latency if x.batch_size == size]) for size in sizes},
    )


def _interval(network: NetworkEvidence, split: str) -> Interval | None:
    correct_SN = network.correct_SN(split)
    return None if correct_SN is None else accuracy(correct_SN)


def _latency(found: list[Latency]) -> Latency:
    return Latency(
        batch_size=found[0].batch_size,
        median_ms=statistics.median(x.median_ms for x in found),
        low_ms=min(x.low_ms for x in found),
        high_ms=max(x.high_ms for x in found),
        repeats=sum(x.repeats for x in found),
    )


def _row(network: NetworkSummary) -> dict[str, Any]:
    fields = asdict(network)
    test, validation = network.test, network.validation
    seeds = (test or validation).num_seeds if (test or validation) else 0  # type: ignore[union-attr]
    return {
        "model": network.label,
        **{k: fields[k] for k in ("family", "parameters", "macs", "activation_bytes", "sequential_depth", "miss")},
        "train_accuracy": network.train,
        "validation_accuracy": validation.estimate if validation else None,
        "test_accuracy": test.estimate if test else None,
        "test_low": test.low if test else None,
        "test_high": test.high if test else None,
        "num_test": test.num_images if test else 0,
        "num_seeds": seeds,
        "num_diverged": network.num_diverged,
        "train_s": network.train_s,
        "images_per_s": network.images_per_s,
        **{f"latency_ms_{size}": latency.median_ms for size, latency in network.latency.items()},
    }


def _run_row(run: Run, sizes: list[int]) -> dict[str, Any]:
    record, times = run.record, run.record.times
    latency = {x.batch_size: x.median_ms for x in times.latency} if times else {}
    return {
        "model": run.label,
        "seed": run.seed,
        "parameters": record.model.cost.parameters,
        "macs": record.model.cost.macs,
        "train_accuracy": record.train_accuracy,
        "validation_accuracy": record.validation_accuracy,
        "test_accuracy": record.test_accuracy,
        "train_s": times.train_s if times else None,
        "status": record.status,
        "family": record.model.family,
        "images_per_s": times.images_per_s if times else None,
        **{f"latency_ms_{size}": latency.get(size) for size in sizes},
        "epochs": len(run.epochs()),
        "reason": record.reason,
        "seeds_at_once": times.seeds_at_once if times else None,
    }
