"""Turns from one class of a pair to the other, by hand and by a loop."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from linewise.analysis.depth.turns import confused_pairs, last_turns, pair_turns
from linewise.foundations.arrays import Predictions, Steps


def predictions(labels: list[int], predicted: list[int]) -> Predictions:
    return Predictions(np.full((len(labels), 10), 0.1, np.float32), np.array(predicted), np.array(labels))


def steps(answers_NT: np.ndarray) -> Steps:
    ones_N = np.ones(len(answers_NT), dtype=np.int64)
    return Steps(
        answers_NT, np.ones(answers_NT.shape, np.float32), np.arange(1, answers_NT.shape[1] + 1), ones_N, ones_N
    )


@given(arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(0, 3)))
@settings(max_examples=100)
def test_last_turns_by_a_loop(answers_NT: np.ndarray) -> None:
    for answers_T, turned in zip(answers_NT.tolist(), last_turns(answers_NT, 1, 3).tolist(), strict=True):
        said = [(t, a) for t, a in enumerate(answers_T) if a in (1, 3)]
        turns = [t for (_, before), (t, after) in itertools.pairwise(said) if before != after]
        assert turned == (turns[-1] if turns else 0)


def test_a_pair_in_time() -> None:
    answers_NT = np.array([
        [9, 9, 4, 4],  # a 4 that looked like a 9: turns right after the third row
        [4, 4, 4, 9],  # a 4 recognised, then lost in the fourth
        [9, 9, 9, 9],  # a 4 taken for a 9 at once
        [9, 7, 9, 9],  # a 9, never a 4
        [4, 7, 4, 7],  # a 4 that ends as a 7: not of this pair
        [4, 4, 4, 4],  # a 5 taken for a 4: not of this pair
    ])  # fmt: skip
    found = pair_turns(
        [(predictions([4, 4, 4, 9, 4, 5], answers_NT[:, -1].tolist()), steps(answers_NT))] * 2, 4, 9
    )
    assert found.to_right_T.tolist() == [0, 0, 2, 0]
    assert found.to_wrong_T.tolist() == [0, 0, 0, 2]
    assert (found.num_confused, found.num_lost, found.num_wrong_at_once, found.num_right_at_once) == (4, 2, 2, 2)


def test_pairs_are_counted_both_ways_and_ties_are_in_the_order_of_classes() -> None:
    runs = [
        predictions([4, 9, 3, 2, 1, 1], [9, 4, 5, 2, 7, 2]),
        predictions([4, 9, 3, 2, 1, 1], [9, 9, 5, 2, 1, 2]),
    ]
    assert confused_pairs(runs, 9) == [(4, 9), (1, 2), (3, 5), (1, 7)]
    assert confused_pairs(runs, 1) == [(4, 9)]
