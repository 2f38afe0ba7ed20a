"""Tests without assumptions on distributions, and the correction for making several."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special


def mcnemar(first_SN: np.ndarray, second_SN: np.ndarray) -> np.ndarray:
    """McNemar's exact test of each run of the first against each run of the second network, two-sided.

    Of the images that exactly one of two runs gets right, each is as likely to be the first's as the second's if
    the runs are equally accurate: a fair coin. It speaks of two trained runs on other images, not of other seeds
    (McNemar 1947; Dietterich 1998).

    Returns:
        p-values, seeds of the first × seeds of the second; 1 where the runs agree everywhere.
    """
    first_SN, second_SN = np.asarray(first_SN, dtype=np.float64), np.asarray(second_SN, dtype=np.float64)
    only_first, only_second = first_SN @ (1 - second_SN).T, (1 - first_SN) @ second_SN.T
    differing = (only_first + only_second).astype(np.int64)
    return np.minimum(1.0, 2 * special.bdtr(np.minimum(only_first, only_second), differing, 0.5))


def least_p(num_first: int, num_second: int) -> float:
    """The smallest p-value that `permutation` can reach with these numbers of seeds.

    >>> least_p(3, 3), round(least_p(4, 4), 4)
    (0.1, 0.0286)
    """
    return min(1.0, 2 / math.comb(num_first + num_second, num_first))


def permutation(first_S: np.ndarray, second_S: np.ndarray) -> float:
    """Exact permutation test of two sets of run accuracies, two-sided: twice the smaller tail.

    If both networks are equally accurate on these images, the runs could as well change their labels. It speaks
    of other seeds on these very images. All arrangements are counted by the shift algorithm (Streitberg and
    Röhmel 1986).

    Args:
        first_S, second_S: numbers of right answers, whole.
    """
    runs = np.rint(np.concatenate([first_S, second_S])).astype(np.int64)
    runs -= runs.min()
    chosen, total = len(first_S), int(runs.sum())
    ways = np.zeros((chosen + 1, total + 1))  # of choosing i runs whose answers add up to j
    ways[0, 0] = 1
    for right in runs:
        ways[1:, right:] = ways[1:, right:] + ways[:-1, : total + 1 - right]
    found = int(runs[:chosen].sum())
    tail = min(float(ways[chosen, : found + 1].sum()), float(ways[chosen, found:].sum()))
    return min(1.0, 2 * tail / math.comb(len(runs), chosen))


def cochran_q(correct_KN: np.ndarray) -> tuple[float, float]:
    """Cochran's Q and its p-value: whether K runs are equally accurate on these images (Cochran 1950).

    Args:
        correct_KN: correctness of one run of each of K networks, at least two.

    Returns:
        Q and the tail of the χ² distribution with K − 1 degrees of freedom; (0, 1) where all agree everywhere.
    """
    correct_KN = np.asarray(correct_KN, dtype=np.float64)
    runs, right_K, right_N = len(correct_KN), correct_KN.sum(axis=1), correct_KN.sum(axis=0)
    below = float((right_N * (runs - right_N)).sum())
    if below == 0:
        return 0.0, 1.0
    q = runs * (runs - 1) * float(((right_K - right_K.mean()) ** 2).sum()) / below
    return q, float(special.chdtrc(runs - 1, q))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction: the chance of any false alarm among all stays below the level (Holm 1979).

    Args:
        p_values: None where no test was made; it stays None and does not count.
    """
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected, least = list(p_values), 0.0
    for place, (p, i) in enumerate(tested):
        least = max(least, min(1.0, (len(tested) - place) * p))
        corrected[i] = least
    return corrected
