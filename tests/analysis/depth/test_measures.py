"""Reading depth image by image, and its mean with an interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from linewise.analysis.depth.measures import inked_depth, inked_share, mean, reading_depth
from linewise.foundations.arrays import Steps

ANSWERS = arrays(np.int64, array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, 2))


def steps(answers_NT: np.ndarray, first_N: np.ndarray, last_N: np.ndarray, every: int = 1) -> Steps:
    sure_NT = np.ones(answers_NT.shape, np.float32)
    return Steps(answers_NT, sure_NT, every * np.arange(1, answers_NT.shape[1] + 1), first_N, last_N)


@given(ANSWERS, st.booleans())
@settings(max_examples=60)
def test_reading_depth_by_hand(answers_NT: np.ndarray, thinned: bool) -> None:
    images, kept = answers_NT.shape
    ones_N = np.ones(images, dtype=np.int64)
    found = steps(answers_NT, ones_N, ones_N, 3 if thinned else 1)
    for answers_T, depth in zip(answers_NT, reading_depth(found), strict=True):
        first = next(t for t in range(kept) if (answers_T[t:] == answers_T[-1]).all())
        assert depth == found.kept_T[first]


def test_depth_counted_from_the_first_ink_and_up_to_the_last() -> None:
    answers_NT = np.array([[1, 1, 2, 2, 3, 3], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1], [1, 2, 3, 3, 3, 3]])
    found = steps(answers_NT, np.array([3, 2, 2, 3]), np.array([6, 5, 4, 3]))
    assert reading_depth(found).tolist() == [5, 1, 6, 3]
    assert inked_depth(found).tolist() == [3, 0, 5, 1]
    assert inked_share(found).tolist() == [3 / 4, 0.0, 5 / 3, 1.0]  # the third turns over the blank rest


def test_the_mean_of_accuracies_is_that_of_the_study() -> None:
    rng = np.random.default_rng(0)
    correct_SN = rng.random((4, 500)) < rng.beta(8, 1, 500)
    found = mean(correct_SN)
    assert found.estimate == pytest.approx(correct_SN.mean())
    assert (found.num_seeds, found.num_images, found.covers_seeds) == (4, 500, True)
    per_image_N, per_seed_S = correct_SN.mean(0), correct_SN.mean(1)
    least = 1.96 * np.sqrt(per_image_N.var(ddof=1) / 500)
    most = np.hypot(least * 1.01, 3.1825 * np.sqrt(per_seed_S.var(ddof=1) / 4))
    assert least * 0.8 < found.high - found.estimate <= most


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says() -> None:
    rng, held, rounds = np.random.default_rng(1), [0, 0], 600
    for _ in range(rounds):
        values_SN = 9 + rng.normal(size=(5, 1)) * 0.3 + rng.normal(size=(1, 80)) * 3 + rng.normal(size=(5, 80))
        whole = mean(values_SN)
        held[0] += whole.low <= 9 <= whole.high
        of_SN = rng.random((5, 80)) < 0.4
        part = mean(values_SN, of_SN)
        held[1] += part.low <= 9 <= part.high
    assert all(0.92 < h / rounds < 0.985 for h in held), held


def test_a_mean_over_some_of_the_answers_counts_these_alone() -> None:
    values_SN = np.arange(12.0).reshape(2, 6)
    of_SN = values_SN % 3 == 0
    found = mean(values_SN, of_SN)
    assert found.estimate == pytest.approx(values_SN[of_SN].mean())
    assert found.num_images == 2
    with pytest.raises(ValueError, match="a mean of nothing"):
        mean(values_SN, values_SN < 0)
