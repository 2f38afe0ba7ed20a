"""Confusions in time: in which step the answer turns from one class of a pair to the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.foundations.arrays import Predictions, Steps

NEVER = 0


@dataclass(frozen=True)
class PairTurns:
    """A pair of classes as the runs of one network read it.

    Only answers that end with one of the two classes, on images of the two, are counted.

    Attributes:
        first, second: the classes, the smaller first.
        num_confused: answers that end with the wrong one of the two.
        to_right_T, to_wrong_T: answers whose last turn from one to the other comes at each kept step.
        num_wrong_at_once: wrong answers that never were the right class before.
        num_right_at_once: right answers that never were the other class before.
    """

    first: int
    second: int
    num_confused: int
    to_right_T: np.ndarray
    to_wrong_T: np.ndarray
    num_wrong_at_once: int
    num_right_at_once: int

    @property
    def num_lost(self) -> int:
        """Wrong answers that were right before: recognised, then lost."""
        return int(self.to_wrong_T.sum())


def confused_pairs(runs: list[Predictions], most: int) -> list[tuple[int, int]]:
    """The pairs of classes taken for each other most often, either way, the most frequent first."""
    counts: dict[tuple[int, int], int] = {}
    for answers in runs:
        wrong_N = ~answers.correct_N
        for pair in zip(answers.labels_N[wrong_N].tolist(), answers.predicted_N[wrong_N].tolist(), strict=True):
            key = (min(pair), max(pair))
            counts[key] = counts.get(key, 0) + 1
    return sorted(counts, key=lambda pair: (-counts[pair], pair))[:most]


def last_turns(answers_NT: np.ndarray, first: int, second: int) -> np.ndarray:
    """The column at which each answer turns from one class to the other for the last time; 0 for never, `N`.

    Other answers in between do not count: 4, 7, 9 turns from 4 to 9 at the 9.

    >>> last_turns(np.array([[4, 7, 9, 9], [7, 9, 9, 9], [9, 4, 4, 4]]), 4, 9).tolist()
    [2, 0, 1]
    """
    turned_N = np.full(len(answers_NT), NEVER)
    said_N = np.full(len(answers_NT), -1)
    for t, answer_N in enumerate(answers_NT.T):
        of_pair_N = (answer_N == first) | (answer_N == second)
        turned_N[of_pair_N & (said_N >= 0) & (said_N != answer_N)] = t
        said_N[of_pair_N] = answer_N[of_pair_N]
    return turned_N


def pair_turns(runs: list[tuple[Predictions, Steps]], first: int, second: int) -> PairTurns:
    """Turns of a pair over the runs of one network.

    Args:
        runs: at least one; all with the same kept steps.
    """
    columns = len(runs[0][1].kept_T)
    to_right_T, to_wrong_T = np.zeros(columns, dtype=np.int64), np.zeros(columns, dtype=np.int64)
    num_confused = num_wrong_at_once = num_right_at_once = 0
    for answers, steps in runs:
        of_pair_N = np.isin(answers.labels_N, (first, second)) & np.isin(answers.predicted_N, (first, second))
        right_N = answers.correct_N[of_pair_N]
        turned_N = last_turns(steps.answers_NT[of_pair_N], first, second)
        to_right_T += np.bincount(turned_N[right_N & (turned_N > NEVER)], minlength=columns)
        to_wrong_T += np.bincount(turned_N[~right_N & (turned_N > NEVER)], minlength=columns)
        num_confused += int((~right_N).sum())
        num_wrong_at_once += int((~right_N & (turned_N == NEVER)).sum())
        num_right_at_once += int((right_N & (turned_N == NEVER)).sum())
    return PairTurns(first, second, num_confused, to_right_T, to_wrong_T, num_wrong_at_once, num_right_at_once)
