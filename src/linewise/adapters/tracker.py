"""What every tracker can be told; which there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path

from linewise.adapters.facts import Facts, Identity
from linewise.foundations.errors import ConfigError, missing_extra, unknown_name
from linewise.foundations.records import Epoch

KINDS = {"tensorboard": ("tensorboard", "tensorboard:FOLDER"), "mlflow": ("mlflow", "mlflow:URI")}
"""Kind → its package, and how a target is written."""


class Tracker(ABC):
    """A tracker that holds runs. What it holds already is not told to it twice."""

    @abstractmethod
    def begin(self, study: Identity) -> None:
        """Which study the following runs belong to."""

    @abstractmethod
    def epochs(self, key: str, epochs: list[Epoch]) -> None:
        """Epochs of a run that goes on."""

    @abstractmethod
    def finish(self, facts: Facts) -> None:
        """All of a run that has ended."""

    @abstractmethod
    def close(self) -> None:
        """Everything is written."""


def open_tracker(target: str) -> Tracker:
    """The tracker a target names; nothing is written or connected yet.

    Raises:
        ConfigError: an unknown kind, no place, or a package that is not installed.
    """
    kind, colon, place = target.partition(":")
    if kind not in KINDS:
        raise unknown_name("tracker", kind, KINDS, where="--log")
    package, form = KINDS[kind]
    if not colon or not place:
        raise ConfigError(f"{target!r} names no place", where="--log", expected=form)
    if find_spec(package) is None:
        raise missing_extra(package, kind, f"{kind}:…")
    if kind == "tensorboard":
        from linewise.adapters.tensorboard import TensorBoard

        return TensorBoard(Path(place))
    from linewise.adapters.mlflow import MLflow

    return MLflow(place)


def picture(facts: Facts) -> tuple[str, bytes] | None:
    """The confusion matrix of a run as PNG, by the split it is of; None without answers or without a package that
    draws (`linewise[report]`)."""
    split = next((split for split in ("test", "validation") if split in facts.answers), None)
    if split is None or not facts.class_names or find_spec("altair") is None or find_spec("vl_convert") is None:
        return None
    import vl_convert

    from linewise.report.charts.confusions import confusion_chart

    chart = confusion_chart(f"{facts.key}, {split}", facts.answers[split], facts.class_names)
    return split, vl_convert.vegalite_to_png(chart.for_files(), scale=2)
