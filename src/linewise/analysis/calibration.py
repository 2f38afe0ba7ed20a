"""Whether a network that says 90 % is right nine times out of ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.foundations.arrays import Predictions

NUM_BINS = 10


@dataclass(frozen=True)
class Bin:
    """Answers of similar confidence: mean confidence, share right, how many."""

    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True)
class Calibration:
    """Reliability over ten equal-width bins of confidence.

    Attributes:
        bins: those with answers in them.
        error: expected calibration error, the mean distance between confidence and accuracy, weighted by counts
            (Naeini et al. 2015; Guo et al. 2017).
    """

    bins: list[Bin]
    error: float


def calibration(answers: list[Predictions]) -> Calibration:
    """Reliability of the answers of all runs together."""
    confidence_N = np.concatenate([a.probabilities_NK.max(axis=1) for a in answers]).astype(np.float64)
    correct_N = np.concatenate([a.correct_N for a in answers])
    place_N = np.minimum((confidence_N * NUM_BINS).astype(int), NUM_BINS - 1)
    bins, error = [], 0.0
    for place in range(NUM_BINS):
        inside = place_N == place
        if count := int(inside.sum()):
            found = Bin(float(confidence_N[inside].mean()), float(correct_N[inside].mean()), count)
            bins.append(found)
            error += count / len(correct_N) * abs(found.confidence - found.accuracy)
    return Calibration(bins, error)
