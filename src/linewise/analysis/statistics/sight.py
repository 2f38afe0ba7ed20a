"""What a study could see of its two families' best networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.analysis.beside import best
from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.analysis.intervals import Interval, difference
from linewise.analysis.statistics.contrasts import Moments
from linewise.analysis.statistics.power import (
    NOTHING_VARIES,
    ONE_SEED,
    POWER,
    Components,
    Needed,
    needed,
    smallest_visible,
)

ASKED = (0.01, 0.005, 0.002, 0.001)
"""Differences asked about beside the one observed; fixed beforehand, so that they owe nothing to these runs."""


@dataclass(frozen=True)
class Sight:
    """The comparison of the answer: one pair alone, without correction.

    Attributes:
        recurrent, convolutional: labels of each family's best network by validation accuracy.
        observed: convolutional minus recurrent accuracy.
        num_seeds: runs of the recurrent and of the convolutional network.
        power: how often a difference is to be found.
        smallest: the difference that a study like this one finds so often; None where it is not known, or where
            not even a difference of 1 is found.
        reason: why there is none.
        asked: for each difference, as fractions of 1 and the observed one first, what would find it.
    """

    recurrent: str
    convolutional: str
    observed: Interval
    num_seeds: tuple[int, int]
    power: float
    smallest: float | None
    reason: str
    asked: list[tuple[float, Needed]]


def sight(evidence: Evidence) -> Sight | None:
    """What could be seen between the two networks of the answer; None unless both families have answers."""
    reader, convolver = best(evidence.family("recurrent")), best(evidence.family("convolutional"))
    if reader is None or convolver is None:
        return None
    reader_SN, convolver_SN = _correct(reader, evidence.split), _correct(convolver, evidence.split)
    observed, num_seeds = difference(convolver_SN, reader_SN), (len(reader_SN), len(convolver_SN))
    smallest = smallest_visible(reader_SN, convolver_SN)
    reason = ""
    if smallest is None:
        reason = "seeds vary so much that no difference could be found"
        if min(num_seeds) == 1:
            reason = ONE_SEED
        elif (parts := Components.of(Moments.of(reader_SN), Moments.of(convolver_SN))) and parts.nothing_varies:
            reason = NOTHING_VARIES
    sizes = [size for size in (abs(observed.estimate), *ASKED) if size > 0]
    asked = [(size, needed(reader_SN, convolver_SN, size)) for size in sizes] if min(num_seeds) > 1 else []
    return Sight(reader.label, convolver.label, observed, num_seeds, POWER, smallest, reason, asked)


def _correct(network: NetworkEvidence, split: str) -> np.ndarray:
    correct_SN = network.correct_SN(split)
    assert correct_SN is not None  # networks of evidence.family have answers
    return correct_SN
