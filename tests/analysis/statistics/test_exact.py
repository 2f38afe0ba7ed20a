"""Exact tests and Holm's correction against scipy, statsmodels and enumeration."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import cochrans_q
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests

from linewise.analysis.statistics.exact import cochran_q, holm, least_p, mcnemar, permutation


@pytest.mark.parametrize("accuracies", [(0.9, 0.9), (0.97, 0.9), (0.6, 0.75), (1.0, 0.99)])
def test_mcnemar_of_every_pair_of_runs_is_statsmodels(accuracies: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((3, 200)) < accuracies[0], rng.random((2, 200)) < accuracies[1]
    found = mcnemar(first, second)
    assert found.shape == (3, 2)
    for s, t in np.ndindex(3, 2):
        table = [[np.sum(a & b) for b in (second[t], ~second[t])] for a in (first[s], ~first[s])]
        assert found[s, t] == pytest.approx(their_mcnemar(table, exact=True).pvalue)


def test_mcnemar_of_four_images_to_none() -> None:
    worse = np.ones((1, 360))
    worse[0, :4] = 0
    assert mcnemar(np.ones((1, 360)), worse)[0, 0] == 0.125 == stats.binomtest(4, 4).pvalue
    assert mcnemar(worse, worse)[0, 0] == 1


def test_the_smallest_p_value_is_reached_by_the_most_extreme_runs_and_by_no_others() -> None:
    for num_first, num_second in [(1, 1), (1, 5), (2, 2), (3, 3), (3, 4), (4, 4), (6, 6)]:
        extreme = permutation(np.arange(num_first), 100 + np.arange(num_second))
        assert extreme == pytest.approx(least_p(num_first, num_second))
    rng = np.random.default_rng(0)
    assert (
        min(permutation(rng.integers(0, 9, 3), rng.integers(0, 9, 3)) for _ in range(300)) == least_p(3, 3) == 0.1
    )


@given(st.lists(st.integers(0, 12), min_size=1, max_size=5), st.lists(st.integers(0, 12), min_size=1, max_size=5))
def test_permutation_is_counted_by_hand(first: list[int], second: list[int]) -> None:
    runs = first + second
    sums = [sum(chosen) for chosen in combinations(runs, len(first))]
    above, below = (np.mean([side(s, sum(first)) for s in sums]) for side in (np.greater_equal, np.less_equal))
    assert permutation(np.array(first), np.array(second)) == pytest.approx(min(1, 2 * min(above, below)))


def test_permutation_is_scipys() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.integers(9800, 9900, 6), rng.integers(9830, 9930, 5)
    theirs = stats.permutation_test(
        (first, second), lambda a, b, axis: a.mean(axis) - b.mean(axis), vectorized=True
    )
    assert permutation(first, second) == pytest.approx(theirs.pvalue)


def test_cochrans_q_is_statsmodels() -> None:
    rng = np.random.default_rng(1)
    correct_KN = rng.random((5, 300)) < np.array([0.9, 0.9, 0.85, 0.92, 0.8])[:, None]
    theirs = cochrans_q(correct_KN.T.astype(int))
    assert cochran_q(correct_KN) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert cochran_q(np.ones((3, 10))) == (0.0, 1.0)


@pytest.mark.parametrize("count", [1, 2, 10, 36])
def test_holm_is_statsmodels(count: int) -> None:
    p_values = np.random.default_rng(count).choice([0.0, 0.001, 0.004, 0.01, 0.03, 0.2, 0.9, 1.0], count).tolist()
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_leaves_out_what_was_not_tested() -> None:
    assert holm([0.04, None, 0.01]) == [0.04, None, 0.02]
    assert holm([None]) == [None]
