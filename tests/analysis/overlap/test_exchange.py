"""The permutation test: against every arrangement counted by hand, and over simulated studies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from linewise.analysis.intervals import wilson
from linewise.analysis.overlap.agreement import kappa
from linewise.analysis.overlap.exchange import exchange, gap_interval
from linewise.analysis.overlap.gathered import hardest
from worlds import Network, study

STUDIES = 2000
EQUAL = Network()


def equal(margin_RN: np.ndarray) -> np.ndarray:
    return hardest(margin_RN, max(1, round(float((margin_RN < 0).sum(axis=1).mean()))))


def by_hand(overlap_UU: np.ndarray, first: set[int]) -> float:
    units = set(range(len(overlap_UU)))
    groups = first, units - first
    within = [np.mean([overlap_UU[i, j] for i, j in itertools.combinations(g, 2)]) for g in groups if len(g) > 1]
    return min(within) - np.mean([overlap_UU[i, j] for i in groups[0] for j in groups[1]])


@pytest.mark.parametrize(("first", "second"), [(3, 3), (4, 3), (1, 4), (2, 5)])
def test_p_is_the_share_of_arrangements(first: int, second: int) -> None:
    rng = np.random.default_rng(first)
    units = first + second
    overlap_UU = rng.random((units, units))
    overlap_UU += overlap_UU.T
    found = exchange(overlap_UU, np.arange(units) < first)
    assert found is not None
    seen = by_hand(overlap_UU, set(range(first)))
    all_gaps = [by_hand(overlap_UU, set(c)) for c in itertools.combinations(range(units), first)]
    assert found.below_floor == pytest.approx(seen)
    assert found.p == pytest.approx(np.mean([gap >= seen - 1e-9 for gap in all_gaps]))
    assert (found.sizes, found.num_arrangements) == ((first, second), len(all_gaps))
    assert np.isnan(found.within[0]) == (first == 1)


@pytest.mark.parametrize(
    ("first", "second", "least", "decidable"),
    [
        (3, 3, 2 / 20, False),
        (2, 4, 1 / 15, False),
        (3, 4, 1 / 35, True),
        (4, 4, 2 / 70, True),
        (6, 6, 2 / 924, True),
    ],
)
def test_the_least_p_is_reached_by_two_clear_groups(
    first: int, second: int, least: float, decidable: bool
) -> None:
    first_U = np.arange(first + second) < first
    found = exchange((first_U[:, None] == first_U).astype(float), first_U)
    assert found is not None
    assert found.p == pytest.approx(least) == found.least_p
    assert found.decidable == decidable == found.significant


def test_too_few_units_have_no_test() -> None:
    assert exchange(np.ones((2, 2)), np.array([True, False])) is None
    assert exchange(np.ones((4, 4)), np.zeros(4, dtype=bool)) is None


def test_many_units_are_drawn_and_never_give_zero() -> None:
    first_U = np.arange(24) < 12  # 2.7 million arrangements
    found = exchange((first_U[:, None] == first_U).astype(float), first_U)
    assert found is not None
    assert found.p == found.least_p == 1 / 20_001
    mixed = exchange((first_U[:, None] == first_U).astype(float), np.arange(24) % 2 == 0)
    assert mixed is not None
    assert mixed.p > 0.4


def rejections(first: Network, second: Network, *, seeds: int = 5, images: int = 1500, plain: bool = False) -> int:
    rng, found = np.random.default_rng(11), 0
    for _ in range(STUDIES):
        margin_RN, first_R = study(rng, first, second, seeds, images)
        hard_RN = margin_RN < 0 if plain else equal(margin_RN)
        test = exchange(kappa(~hard_RN), first_R)
        assert test is not None
        found += test.significant
    return found


@pytest.mark.parametrize(
    ("first", "second"),
    [(EQUAL, EQUAL), (EQUAL, Network(level=2.6)), (Network(noise=0.4), Network(noise=0.7))],
    ids=["the same network", "more accurate", "noisier seeds"],
)
def test_networks_that_find_the_same_hard_are_told_apart_in_five_of_a_hundred(
    first: Network, second: Network
) -> None:
    low, _ = wilson(rejections(first, second), STUDIES)
    assert low <= 0.05


def test_plain_kappa_would_take_a_difference_in_accuracy_for_one_in_mistakes() -> None:
    assert rejections(EQUAL, Network(level=2.6), plain=True) > 0.9 * STUDIES


@pytest.mark.parametrize("second", [Network(own=0.3), Network(own=0.3, level=2.6), Network(own=0.5, noise=0.7)])
def test_a_network_with_hard_images_of_its_own_is_found(second: Network) -> None:
    assert rejections(Network(own=0.3), second) > 0.9 * STUDIES


def test_the_interval_of_the_gap_holds_the_truth() -> None:
    """Over 200 studies; the truth is that of many images and runs."""
    first, second = Network(own=0.4), Network(own=0.3, noise=0.4)
    rng, held = np.random.default_rng(5), 0
    share = (study(rng, first, second, 20, 20_000)[0] < 0).mean()
    margin_RN, first_R = study(rng, first, second, 25, 40_000)
    kappa_RR = kappa(~hardest(margin_RN, round(share * 40_000)))
    off_RR = ~np.eye(50, dtype=bool)
    within = [kappa_RR[np.ix_(side, side)][off_RR[np.ix_(side, side)]].mean() for side in (first_R, ~first_R)]
    truth = np.mean(within) - kappa_RR[np.ix_(first_R, ~first_R)].mean()
    for _ in range(200):
        margin_RN, first_R = study(rng, first, second, 4, 1000)
        found = gap_interval(equal(margin_RN), first_R)
        assert found.covers_seeds
        held += found.low <= truth <= found.high
    assert held / 200 >= 0.92


def test_two_seeds_give_an_interval_over_images_only() -> None:
    margin_RN, first_R = study(np.random.default_rng(1), EQUAL, Network(own=0.5), 2, 1000)
    found = gap_interval(equal(margin_RN), first_R)
    assert (found.num_seeds, found.covers_seeds) == (2, False)
    assert found.low < found.estimate < found.high


def test_gap_with_one_mistake() -> None:
    """Without the image that every run gets wrong κ is not defined: the interval says nothing, and is no NaN."""
    hard_RN = np.zeros((6, 20), dtype=bool)
    hard_RN[:, 3] = True
    found = gap_interval(hard_RN, np.arange(6) < 3)
    assert (found.estimate, found.low, found.high) == (0.0, -2.0, 2.0)


def test_undefined_overlap_is_no_difference() -> None:
    assert exchange(kappa(np.zeros((8, 20), dtype=bool)), np.arange(8) < 4) is None
