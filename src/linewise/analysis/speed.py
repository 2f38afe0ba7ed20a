"""Which network is faster, by how much, and on which of four axes: the same cost, time and accuracy.

Rounds were measured in alternation, so two networks are compared round by round.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.analysis.intervals import CONFIDENCE
from linewise.foundations.records import Epoch
from linewise.foundations.speed import Speed

WORKS = ("train", "1", "1000")
"""Kinds of work: training, and answers for one image and for a thousand at once."""


@dataclass(frozen=True)
class Spread:
    """A median over rounds with the interval that its order statistics give.

    Attributes:
        estimate, low, high: median and its interval.
        num_rounds: n.
        confidence: of the interval; with few rounds less than 95 % can be had.
    """

    estimate: float
    low: float
    high: float
    num_rounds: int
    confidence: float


@dataclass(frozen=True)
class NetworkSpeed:
    """How fast one network is.

    Attributes:
        images_per_s: by kind of work.
        epoch_s: seconds of one epoch of training, at the median speed.
        epochs_to_target, seconds_to_target: for each run, the first epoch after which the validation accuracy
            was at the target, and the training time until then; None where it never was.
        accuracy_at_time: mean validation accuracy after the last whole epoch within the common time, and how many
            epochs that were; None where not even one fits.
    """

    label: str
    family: str
    images_per_s: dict[str, Spread]
    epoch_s: float
    epochs_to_target: list[int | None]
    seconds_to_target: list[float | None]
    accuracy_at_time: tuple[float, int] | None


@dataclass(frozen=True)
class Speeds:
    """The speeds of a study.

    Attributes:
        target: validation accuracy that every finished run of both families reached, rounded down to 0.1 points.
        common_s: training time that the fastest trained network of both families took in all, seconds.
        threads: processor threads of the measurement.
        processor: of the machine; the device, where networks were computed on one.
        pairs: (recurrent, convolutional) → kind of work → ratio of speeds, recurrent ÷ convolutional.
    """

    networks: list[NetworkSpeed]
    target: float | None
    common_s: float
    threads: int
    processor: str
    pairs: dict[tuple[str, str], dict[str, Spread]]


def median_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Spread:
    """The median with its distribution-free interval between two order statistics (David & Nagaraja 2003, 7.1).

    Args:
        values: at least one; with fewer than six, the interval is their range and its confidence below 95 %.

    >>> s = median_interval([1, 2, 3, 4, 5, 6, 7, 8, 9])
    >>> s.estimate, s.low, s.high, round(s.confidence, 3)
    (5, 2, 8, 0.961)
    """
    ordered, n = sorted(values), len(values)
    ranks = [k for k in range(1, n // 2 + 1) if 2 * stats.binom.cdf(k - 1, n, 0.5) <= 1 - confidence + 1e-12]
    k = max(ranks, default=1)
    held = 1 - 2 * float(stats.binom.cdf(k - 1, n, 0.5)) if n > 1 else 0.0
    return Spread(statistics.median(ordered), ordered[k - 1], ordered[n - k], n, held)


def speeds(evidence: Evidence) -> Speeds | None:
    """All that a study's records say about speed; None where nothing was measured in alternation."""
    speed = evidence.folder.speed()
    if speed is None:
        return None
    timed = [n for n in evidence.networks if n.finished and speed.turns("train", n.label)]
    num_train = sum(evidence.spec.data.counts["train"].values())
    rates = {n.label: _rates(speed, n.label) for n in timed}
    epoch_s = {label: num_train / rate["train"].estimate for label, rate in rates.items()}
    compared = [n for n in timed if n.family in ("recurrent", "convolutional")]
    target = _target(compared)
    common_s = min((evidence.spec.recipe.epochs * epoch_s[n.label] for n in compared or timed), default=0.0)
    networks = [
        NetworkSpeed(
            label=network.label,
            family=network.family,
            images_per_s=rates[network.label],
            epoch_s=epoch_s[network.label],
            epochs_to_target=(epochs := [_epochs_to(run.epochs(), target) for run in network.finished]),
            seconds_to_target=[None if e is None else e * epoch_s[network.label] for e in epochs],
            accuracy_at_time=_at_time(network, common_s / epoch_s[network.label]),
        )
        for network in timed
    ]
    pairs = {
        (r.label, c.label): {work: ratio for work in WORKS if (ratio := _ratio(speed, work, r.label, c.label))}
        for r in timed
        for c in timed
        if (r.family, c.family) == ("recurrent", "convolutional")
    }
    machine = speed.environment
    computed_on = machine.processor if machine.device == "cpu" else machine.device
    return Speeds(networks, target, common_s, machine.threads, computed_on, pairs)


def time_saved(ratio: Spread) -> tuple[float, float, float]:
    """Share of the time that the faster saves, from a ratio of speeds: 2 times as fast saves a half.

    Returns:
        Estimate, low, high; negative where it is slower.
    """
    return 1 - 1 / ratio.estimate, 1 - 1 / ratio.low, 1 - 1 / ratio.high


def ratio_to_target(recurrent: NetworkSpeed, convolutional: NetworkSpeed) -> Spread | None:
    """How many times sooner the recurrent network is at the target: geometric means over runs, Welch's interval of
    the logarithms; None where a run never was there.

    Where all runs of both need the same number of epochs each, the interval has no width: more seeds would tell.
    """
    logs = [
        [math.log(s) for s in n.seconds_to_target if s is not None and s > 0] for n in (convolutional, recurrent)
    ]
    if any(
        len(a) < len(n.seconds_to_target) or not a for a, n in zip(logs, (convolutional, recurrent), strict=True)
    ):
        return None
    gap, half = statistics.fmean(logs[0]) - statistics.fmean(logs[1]), 0.0
    if min(map(len, logs)) > 1:
        parts = [(statistics.variance(a) / len(a), len(a) - 1) for a in logs]
        if (total := sum(part for part, _ in parts)) > 1e-18:  # what is left of equal numbers is rounding
            freedom = total**2 / sum(part**2 / df for part, df in parts)
            half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(total)
    return Spread(math.exp(gap), math.exp(gap - half), math.exp(gap + half), min(map(len, logs)), CONFIDENCE)


def _rates(speed: Speed, label: str) -> dict[str, Spread]:
    found = {work: speed.turns(work, label) for work in WORKS}
    return {work: median_interval(turns.images_per_s) for work, turns in found.items() if turns}


def _ratio(speed: Speed, work: str, first: str, second: str) -> Spread | None:
    a, b = speed.turns(work, first), speed.turns(work, second)
    if a is None or b is None or len(a.seconds) != len(b.seconds):
        return None
    return median_interval([x / y for x, y in zip(a.images_per_s, b.images_per_s, strict=True)])


def _target(compared: list[NetworkEvidence]) -> float | None:
    """What every finished run of these networks reached at some epoch, rounded down to 0.1 points."""
    best = [max(e.validation_accuracy for e in run.epochs()) for n in compared for run in n.finished]
    return math.floor(1000 * min(best)) / 1000 if best else None


def _epochs_to(epochs: list[Epoch], target: float | None) -> int | None:
    if target is None:
        return None
    return next((e.epoch for e in epochs if e.validation_accuracy >= target), None)


def _at_time(network: NetworkEvidence, epochs: float) -> tuple[float, int] | None:
    whole = math.floor(epochs + 1e-9)
    reached = [run.epochs()[min(whole, len(run.epochs())) - 1].validation_accuracy for run in network.finished]
    return (statistics.fmean(reached), whole) if whole >= 1 else None
