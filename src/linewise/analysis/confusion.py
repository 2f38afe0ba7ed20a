"""Which class is taken for which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.foundations.arrays import Predictions


@dataclass(frozen=True)
class Pair:
    """Images of class `true` that were taken for class `predicted`.

    Attributes:
        count: wrong answers, over all runs.
        rate: of all answers on images of the true class, as a fraction.
    """

    true: int
    predicted: int
    count: int
    rate: float


def confusion(answers: list[Predictions], num_classes: int) -> np.ndarray:
    """Counts `KK` over all runs: true class by predicted class."""
    counts_KK = np.zeros((num_classes, num_classes), dtype=np.int64)
    for a in answers:
        np.add.at(counts_KK, (a.labels_N, a.predicted_N), 1)
    return counts_KK


def recalls(counts_KK: np.ndarray) -> np.ndarray:
    """Share of each class that was recognised, `K`; NaN for a class without images."""
    totals_K = counts_KK.sum(axis=1)
    return np.divide(np.diag(counts_KK), totals_K, out=np.full(len(totals_K), np.nan), where=totals_K > 0)


def worst_pairs(counts_KK: np.ndarray, most: int) -> list[Pair]:
    """The most frequent confusions, most frequent first; at most `most`, none with count 0."""
    wrong_KK = counts_KK - np.diag(np.diag(counts_KK))
    order = np.argsort(-wrong_KK, axis=None, kind="stable")[:most]
    found = []
    for true, predicted in zip(*np.unravel_index(order, wrong_KK.shape), strict=True):
        count = int(wrong_KK[true, predicted])
        if count:
            found.append(Pair(int(true), int(predicted), count, count / int(counts_KK[true].sum())))
    return found
