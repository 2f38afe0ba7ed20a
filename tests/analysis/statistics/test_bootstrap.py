"""The two-way bootstrap against its exact variances."""

from __future__ import annotations

import numpy as np
import pytest

from linewise.analysis.statistics.bootstrap import resample

RNG = np.random.default_rng


def test_images_alone_have_the_variance_of_a_mean() -> None:
    correct_SN = RNG(0).random((1, 500)) < 0.8
    means_R = resample([correct_SN], RNG(1), 8000)[:, 0]
    assert means_R.mean() == pytest.approx(correct_SN.mean(), abs=3e-4 * 3)
    assert means_R.var() == pytest.approx(correct_SN.var() / 500, rel=0.06)


@pytest.mark.parametrize("seeds", [2, 3, 6])
def test_seeds_alone_have_the_variance_of_a_mean(seeds: int) -> None:
    """Every image alike: only seeds are left. Drawing S of them would give (S − 1) / S of this."""
    runs_S = np.linspace(0.8, 0.9, seeds)
    means_R = resample([np.repeat(runs_S[:, None], 30, axis=1)], RNG(1), 8000)[:, 0]
    assert means_R.var() == pytest.approx(runs_S.var(ddof=1) / seeds, rel=0.06)


def test_a_replicate_is_what_its_weights_say() -> None:
    """One seed each: with the same generator, the same images, drawn by hand."""
    first, second = RNG(0).random((1, 40)) < 0.8, RNG(1).random((1, 40)) < 0.7
    found = resample([first, second], RNG(5), 3)
    rng = RNG(5)
    for r in range(3):
        drawn = rng.integers(40, size=40)
        assert found[r] == pytest.approx((first[0, drawn].mean(), second[0, drawn].mean()))


def test_equal_networks_stay_equal_in_every_replicate() -> None:
    correct_SN = RNG(0).random((1, 300)) < 0.9
    means_RK = resample([correct_SN, correct_SN], RNG(1), 250)
    assert means_RK.shape == (250, 2)
    np.testing.assert_array_equal(means_RK[:, 0], means_RK[:, 1])


def test_a_seed_repeats_and_another_differs() -> None:
    correct_SN = RNG(0).random((3, 300)) < 0.9
    once, again, other = (resample([correct_SN], RNG(seed), 50) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)


def test_each_network_has_its_own_seeds() -> None:
    """Every image alike, and no network's runs overlap another's."""
    runs = [np.array([0.1, 0.12]), np.array([0.4, 0.42, 0.44]), np.array([0.8, 0.82, 0.84, 0.86])]
    means_RK = resample([np.repeat(runs_S[:, None], 20, axis=1) for runs_S in runs], RNG(1), 200)
    for means_R, runs_S in zip(means_RK.T, runs, strict=True):
        assert runs_S.min() - 1e-6 <= means_R.min() < means_R.max() <= runs_S.max() + 1e-6
