"""What was tried before the final runs: spaces, trials and choices, as plain data; `STUDY/tuning/tuning.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from linewise.foundations.records import Family, Record, Status, TuningPlan


class Dial(Record):
    """One setting that is tuned, and its range.

    Attributes:
        name: a field of the recipe (`lr`, `weight_decay`, `clip`, `label_smoothing`) or a size of the network that
            leaves its cost as it is (`dropout`, `drop_path`).
        low, high: both included.
        log: searched on a logarithmic scale.
        default: its value in the study's recipe, which is the first trial of every network.
    """

    name: str
    low: float
    high: float
    log: bool
    default: float


class TrialRecord(Record):
    """One trial: a network trained with some settings and judged on the validation images.

    Attributes:
        number: from 0; trial 0 has the study's own recipe.
        settings: dial → value.
        validation_accuracy: after the last epoch, a fraction of 1; None where it diverged or failed.
        validation_loss: mean cross-entropy, nats.
        seconds: from building the network to its last answer.
    """

    number: int = Field(ge=0)
    seed: int
    settings: dict[str, float]
    status: Status
    reason: str = ""
    validation_accuracy: float | None = Field(default=None, ge=0, le=1)
    validation_loss: float | None = None
    seconds: float = Field(default=0.0, ge=0)


class NetworkTuning(Record):
    """The tuning of one network.

    Attributes:
        label: as in the study's specification.
        space: what was searched.
        trials: those that have ended, by number.
        chosen: number of the trial whose settings the final runs have: highest validation accuracy, then lowest
            validation loss, then lowest number. None before all trials have ended, and where none finished.
        settings: what the final runs have; the study's recipe where no trial finished, None before the end.
        importance: dial → its share of the variance of validation accuracy over the finished trials (fANOVA,
            Hutter et al. 2014), adding up to 1; None where it cannot be computed.
    """

    label: str
    name: str
    family: Family
    space: list[Dial]
    trials: list[TrialRecord] = Field(default_factory=list)
    chosen: int | None = None
    settings: dict[str, float] | None = None
    importance: dict[str, float] | None = None

    @property
    def best(self) -> TrialRecord | None:
        """The best trial so far."""
        return best_of(self.trials)

    @property
    def seconds(self) -> float:
        """Spent in its trials."""
        return sum(trial.seconds for trial in self.trials)

    def count(self, status: Status) -> int:
        """Trials that ended so."""
        return sum(trial.status == status for trial in self.trials)


class TuningRecord(Record):
    """The tuning of a study.

    Attributes:
        num_train: training images in each trial.
        num_validation: images that judge.
        storage: where the trials were kept: `journal.log`, or a database without user and password.
        networks: those with trained parameters, in the study's order.
    """

    schema_version: Literal[1] = 1
    plan: TuningPlan
    data_fingerprint: str
    num_train: int
    num_validation: int
    storage: str
    networks: list[NetworkTuning] = Field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every network that is listed has its settings."""
        return all(network.settings is not None for network in self.networks)

    @property
    def total_s(self) -> float:
        """Seconds spent in trials, those of parallel workers added up."""
        return sum(network.seconds for network in self.networks)

    @property
    def unchosen(self) -> list[str]:
        """Labels of networks whose trials have all ended, none of them well: their final runs have the study's
        recipe."""
        return [n.label for n in self.networks if n.settings is not None and n.chosen is None]

    def network(self, label: str) -> NetworkTuning | None:
        """The tuning of one network; None where it was not tuned."""
        return next((network for network in self.networks if network.label == label), None)


def best_of(trials: list[TrialRecord]) -> TrialRecord | None:
    """Highest validation accuracy; ties by lower validation loss, then by lower number.

    >>> ends = dict(seed=0, settings={}, status="finished", validation_accuracy=0.5)
    >>> best_of([TrialRecord(number=i, validation_loss=loss, **ends) for i, loss in enumerate([2, 1, 1])]).number
    1
    """
    finished = [trial for trial in trials if trial.validation_accuracy is not None]
    return min(finished, key=_rank, default=None)


def _rank(trial: TrialRecord) -> tuple[float, float, int]:
    loss = float("inf") if trial.validation_loss is None else trial.validation_loss
    return -(trial.validation_accuracy or 0.0), loss, trial.number
