"""Speeds: intervals of medians, ratios by round, time to a target."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from linewise.analysis.speed import NetworkSpeed, Spread, median_interval, ratio_to_target, time_saved


@pytest.mark.parametrize(("rounds", "ranks"), [(9, (2, 8)), (15, (4, 12)), (6, (1, 6)), (3, (1, 3))])
def test_the_interval_of_a_median_has_the_ranks_of_the_tables(rounds: int, ranks: tuple[int, int]) -> None:
    found = median_interval(list(range(rounds, 0, -1)))
    assert (found.low, found.high) == ranks
    assert found.num_rounds == rounds


def test_the_interval_of_a_median_keeps_its_word() -> None:
    rng = np.random.default_rng(0)
    samples = [median_interval(rng.lognormal(size=9).tolist()) for _ in range(2000)]
    held = np.mean([s.low <= 1 <= s.high for s in samples])  # the median of a standard log-normal is 1
    assert samples[0].confidence == pytest.approx(0.961, abs=0.001)
    assert held == pytest.approx(samples[0].confidence, abs=4 * (0.961 * 0.039 / 2000) ** 0.5)


def test_twice_as_fast_saves_a_half_and_half_as_fast_needs_twice() -> None:
    assert time_saved(Spread(2.0, 1.0, 4.0, 9, 0.96)) == (0.5, 0.0, 0.75)
    assert time_saved(Spread(0.5, 0.5, 0.5, 9, 0.96))[0] == -1.0


def network(family: str, seconds: list[float | None]) -> NetworkSpeed:
    return NetworkSpeed(family, family, {}, 1.0, [1] * len(seconds), seconds, None)


def test_how_much_sooner_is_a_ratio_of_geometric_means() -> None:
    reader, convolver = network("recurrent", [1.0, 4.0]), network("convolutional", [8.0, 8.0])
    found = ratio_to_target(reader, convolver)
    assert found is not None
    assert found.estimate == pytest.approx(4.0)
    assert found.low < 4 < found.high


def test_its_interval_is_welchs() -> None:
    fast, slow = [1.0, 4.0, 2.0], [8.0, 9.0, 12.0, 7.0]
    found = ratio_to_target(network("recurrent", [*fast]), network("convolutional", [*slow]))
    welch = stats.ttest_ind(np.log(slow), np.log(fast), equal_var=False).confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((np.exp(welch.low), np.exp(welch.high)))


def test_equal_numbers_have_no_width() -> None:
    found = ratio_to_target(network("recurrent", [0.1, 0.1, 0.1]), network("convolutional", [0.7, 0.7, 0.7]))
    assert found is not None
    assert found.low == found.estimate == found.high == pytest.approx(7)


def test_a_run_that_never_was_there_leaves_no_ratio() -> None:
    assert ratio_to_target(network("recurrent", [1.0, None]), network("convolutional", [8.0, 8.0])) is None
