"""Are the images easy? Shares of them that everyone, or no one, gets right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.analysis.difficulty.measures import jurors
from linewise.analysis.evidence import Evidence
from linewise.analysis.intervals import Interval, accuracy, describe


@dataclass(frozen=True)
class Shares:
    """How many images are beyond dispute; intervals are over images, for these runs.

    Attributes:
        by_all: share of images that every run gets right.
        by_none: share that no run gets right.
        linear: accuracy of the linear control, over seeds and images; None where the study has none.
        num_runs, num_networks: behind `by_all` and `by_none`; more runs leave fewer images to either.
        sentence: all that in words.
    """

    by_all: Interval
    by_none: Interval
    linear: Interval | None
    num_runs: int
    num_networks: int
    sentence: str


def shares(evidence: Evidence) -> Shares | None:
    """Count over all networks but controls; None without answers."""
    networks = jurors(evidence, evidence.split)
    if not networks:
        return None
    correct_RN = np.concatenate([np.stack([a.correct_N for a in n.answers(evidence.split)]) for n in networks])
    everyone_2N = np.stack([correct_RN.all(axis=0), ~correct_RN.any(axis=0)])
    by_all, by_none = accuracy(everyone_2N[:1]), accuracy(everyone_2N[1:])
    linear = next((n.correct_SN(evidence.split) for n in evidence.networks if n.spec.name == "linear"), None)
    control = None if linear is None else accuracy(linear)
    runs = f"{len(correct_RN)} runs of {len(networks)} networks"
    sentence = (
        f"All {runs} get {describe(by_all)} of {correct_RN.shape[1]:,} {evidence.split} images right; on "
        f"{describe(by_none)} no run is right."
    )
    if control:
        sentence += f" A linear classifier gets {describe(control)} right."
    return Shares(by_all, by_none, control, len(correct_RN), len(networks), sentence)
