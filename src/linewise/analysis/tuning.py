"""What the trials of a tuning show: how they ended, what was chosen, and what each further trial was worth."""

from __future__ import annotations

from dataclasses import dataclass

from linewise.analysis.evidence import Evidence
from linewise.analysis.intervals import Interval, wilson
from linewise.foundations.records import Family
from linewise.foundations.tuning import Dial, NetworkTuning, TrialRecord, TuningRecord, best_of


@dataclass(frozen=True)
class NetworkTrials:
    """The trials of one network.

    Attributes:
        tuning: its record.
        recipe: validation accuracy of the first trial, which has the study's recipe; None where it did not finish.
        best: the same of the best trial so far. It was chosen by this accuracy, so it looks better than it is;
            the interval is of the one trial over images.
        so_far: after each trial, by number, the highest validation accuracy until then; None before the first
            finished one.
    """

    tuning: NetworkTuning
    recipe: Interval | None
    best: Interval | None
    so_far: list[float | None]

    @property
    def gain(self) -> float | None:
        """Of the best trial over the study's recipe, as a fraction of 1 (0.01 is one point)."""
        return self.best.estimate - self.recipe.estimate if self.best and self.recipe else None


@dataclass(frozen=True)
class Tuning:
    """The tuning of a study.

    Attributes:
        record: what is on disk.
        networks: in the study's order.
        dials: names of all that was tuned, in the order of the spaces.
        spaces: family → dial → ranges that its networks searched, mostly one.
    """

    record: TuningRecord
    networks: list[NetworkTrials]
    dials: list[str]
    spaces: dict[Family, dict[str, list[Dial]]]


def tuning(evidence: Evidence) -> Tuning | None:
    """The trials of a study; None where nothing was tuned."""
    record = evidence.folder.tuning()
    if record is None or not record.networks:
        return None
    spaces: dict[Family, dict[str, list[Dial]]] = {}
    for network in record.networks:
        for dial in network.space:
            ranges = spaces.setdefault(network.family, {}).setdefault(dial.name, [])
            if (dial.low, dial.high, dial.log) not in [(d.low, d.high, d.log) for d in ranges]:
                ranges.append(dial)
    dials = list(dict.fromkeys(dial.name for network in record.networks for dial in network.space))
    return Tuning(record, [_trials(n, record.num_validation) for n in record.networks], dials, spaces)


def _trials(network: NetworkTuning, num_validation: int) -> NetworkTrials:
    first = next((trial for trial in network.trials if trial.number == 0), None)
    return NetworkTrials(
        network, _interval(first, num_validation), _interval(network.best, num_validation), so_far(network.trials)
    )


def so_far(trials: list[TrialRecord]) -> list[float | None]:
    """After each trial the highest validation accuracy until then.

    >>> ends = [dict(status="diverged"), dict(status="finished", validation_accuracy=0.75)]
    >>> so_far([TrialRecord(number=i, seed=i, settings={}, **end) for i, end in enumerate(ends)])
    [None, 0.75]
    """
    ordered = sorted(trials, key=lambda trial: trial.number)
    bests = [best_of(ordered[: i + 1]) for i in range(len(ordered))]
    return [best.validation_accuracy if best else None for best in bests]


def _interval(trial: TrialRecord | None, num_images: int) -> Interval | None:
    if trial is None or trial.validation_accuracy is None:
        return None
    low, high = wilson(round(trial.validation_accuracy * num_images), num_images)
    return Interval(trial.validation_accuracy, low, high, num_images, 1, covers_seeds=False)
