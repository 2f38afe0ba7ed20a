"""Pairs of networks: against answers counted one pair at a time, and their intervals over simulated studies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from linewise.analysis.intervals import accuracy, wilson
from linewise.analysis.overlap.ensembles import Ensembles, together
from linewise.analysis.overlap.spread import half_width, share
from worlds import Network, answers, study

LABELS = ("reader", "convolver")


def compared(
    rng: np.random.Generator, first: Network, second: Network, seeds: int, images: int
) -> tuple[Ensembles, list, list]:
    margin_RN, first_R = study(rng, first, second, seeds, images)
    sides = answers(margin_RN[first_R]), answers(margin_RN[~first_R])
    return together(LABELS, *sides), *sides


def pair_accuracy(pairs: list) -> float:
    return float(np.mean([((a.probabilities_NK + b.probabilities_NK).argmax(1) == 0).mean() for a, b in pairs]))


def test_means_over_all_pairs() -> None:
    found, readers, convolvers = compared(np.random.default_rng(0), Network(), Network(level=2.5), 4, 600)
    assert found.mixed.estimate == pytest.approx(pair_accuracy(list(itertools.product(readers, convolvers))))
    twins = [pair_accuracy(list(itertools.combinations(side, 2))) for side in (readers, convolvers)]
    assert found.two_recurrent is not None
    assert found.two_convolutional is not None
    assert [found.two_recurrent.estimate, found.two_convolutional.estimate] == pytest.approx(twins)
    assert found.over_recurrent is not None
    assert found.over_convolutional is not None
    gains = [found.over_recurrent.estimate, found.over_convolutional.estimate]
    assert gains == pytest.approx([found.mixed.estimate - twin for twin in twins])


def test_one_run_by_itself_is_what_the_table_of_networks_says() -> None:
    found, readers, _ = compared(np.random.default_rng(1), Network(), Network(), 5, 400)
    assert found.alone_recurrent == accuracy(np.stack([a.correct_N for a in readers]))


def test_the_jackknife_of_means_is_the_variance_of_the_mean() -> None:
    rng = np.random.default_rng(6)
    first_S, second_S = rng.normal(size=5), rng.normal(size=3)
    left_out = [(side.sum() - side) / (len(side) - 1) for side in (first_S, second_S)]
    parts = [(0.04, 99), (first_S.var(ddof=1) / 5, 4), (second_S.var(ddof=1) / 3, 2)]
    total = sum(v for v, _ in parts)
    quantile = stats.t.ppf(0.975, total**2 / sum(v**2 / df for v, df in parts))
    assert half_width(parts[0], left_out) == pytest.approx(quantile * np.sqrt(total))


def test_a_share_has_the_width_it_was_given_and_stays_within_one() -> None:
    low, high = share(0.7, 0.01, 1000)
    assert (high - low) / 2 == pytest.approx(0.01, rel=0.01)
    low, high = share(0.995, 0.01, 1000)
    assert 0.995 - low > high - 0.995
    assert high < 1
    assert share(1.0, 0.0, 50) == wilson(50, 50)


@pytest.mark.parametrize(("seeds", "pairs", "covers"), [(1, False, False), (2, True, False), (3, True, True)])
def test_few_seeds_say_so(seeds: int, pairs: bool, covers: bool) -> None:
    found, *_ = compared(np.random.default_rng(2), Network(), Network(), seeds, 300)
    gains = (found.over_recurrent, found.over_convolutional)
    assert [gain is not None for gain in gains] == [pairs, pairs]
    assert [gain.covers_seeds for gain in gains if gain] == [covers] * 2 * pairs
    assert found.mixed.covers_seeds == (seeds > 1)
    assert found.mixed.low < found.mixed.estimate < found.mixed.high


def test_networks_with_weaknesses_of_their_own_gain_together() -> None:
    found, *_ = compared(
        np.random.default_rng(3), Network(own=1.5, noise=0.1), Network(own=1.5, noise=0.1), 4, 3000
    )
    assert found.over_recurrent is not None
    assert found.over_convolutional is not None
    assert min(found.over_recurrent.low, found.over_convolutional.low) > 0


def test_no_mistake_at_all_is_not_certainty() -> None:
    found, *_ = compared(np.random.default_rng(4), Network(level=50), Network(level=50), 3, 200)
    assert found.mixed.estimate == 1.0
    assert found.mixed.low < 0.99
    assert found.over_recurrent is not None
    assert found.over_recurrent.low < 0 < found.over_recurrent.high


def test_intervals_of_the_gain_hold_the_truth() -> None:
    """Over 200 studies; the truth is that of very many images and many runs."""
    first, second, rng = Network(own=0.8), Network(level=2.3, own=0.6, noise=0.7), np.random.default_rng(5)
    truth, *_ = compared(rng, first, second, 14, 20_000)
    held = 0
    for _ in range(200):
        found, *_ = compared(rng, first, second, 4, 500)
        for name in ("over_recurrent", "over_convolutional"):
            gain = getattr(found, name)
            held += gain.low <= getattr(truth, name).estimate <= gain.high
    assert held / 400 >= 0.92
