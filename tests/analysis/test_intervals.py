"""Intervals against scipy, against closed forms by hand, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from linewise.analysis.intervals import accuracy, difference, wilson


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (49, 50), (9876, 10_000), (180, 360)])
def test_wilson_is_scipys(right: int, n: int) -> None:
    theirs = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_one_seed_is_wilson_and_says_so() -> None:
    correct = np.arange(200) % 10 != 0
    interval = accuracy(correct[None])
    assert (interval.low, interval.high) == wilson(180, 200)
    assert (interval.num_seeds, interval.num_images, interval.covers_seeds) == (1, 200, False)


def test_two_seeds_by_hand() -> None:
    correct_SN = np.array([[1, 1, 1, 0], [1, 1, 0, 0]])
    per_image = np.array([1, 1, 0.5, 0])
    v_images, v_seeds = per_image.var(ddof=1) / 4, np.array([0.75, 0.5]).var(ddof=1) / 2
    df = (v_images + v_seeds) ** 2 / (v_images**2 / 3 + v_seeds**2 / 1)
    half = stats.t.ppf(0.975, df) * np.sqrt(v_images + v_seeds)
    found = accuracy(correct_SN)
    assert found.estimate == 0.625
    assert found.low == pytest.approx(max(0, 0.625 - half))
    assert found.high == min(1, 0.625 + half)


def test_all_right_everywhere_is_not_certainty() -> None:
    found = accuracy(np.ones((3, 100)))
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson(100, 100)[0])


def test_one_against_one_seed_is_students_paired_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(300) < 0.9, rng.random(300) < 0.8
    theirs = stats.ttest_rel(a.astype(float), b.astype(float)).confidence_interval()
    ours = difference(a[None], b[None])
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert not ours.covers_seeds


def test_the_difference_changes_sign_with_the_order() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((3, 200)) < 0.9, rng.random((4, 200)) < 0.7
    forth, back = difference(a, b), difference(b, a)
    assert (forth.estimate, forth.low, forth.high) == pytest.approx((-back.estimate, -back.high, -back.low))
    assert forth.excludes_zero


class World:
    """Networks whose seeds and images both matter: logit = level + image + seed effect."""

    def __init__(self, level: float, seeds_sd: float, images_sd: float = 1.5) -> None:
        self.level, self.seeds_sd, self.images_sd = level, seeds_sd, images_sd
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        spread = np.hypot(seeds_sd, images_sd)
        self.truth = float((weights / (1 + np.exp(-(level + spread * nodes)))).sum() / weights.sum())

    def correct(self, rng: np.random.Generator, seeds: int, image_N: np.ndarray) -> np.ndarray:
        logit_SN = self.level + self.images_sd * image_N + rng.normal(0, self.seeds_sd, (seeds, 1))
        return rng.random((seeds, len(image_N))) < 1 / (1 + np.exp(-logit_SN))


@pytest.mark.parametrize(
    ("seeds", "images", "level", "seeds_sd"), [(3, 360, 3.0, 0.2), (3, 2000, 4.0, 0.15), (6, 1000, 2.0, 0.3)]
)
def test_coverage_and_false_alarms(seeds: int, images: int, level: float, seeds_sd: float) -> None:
    """Over 400 studies: the interval holds the truth 93 to 99 times in 100; A/A differences alarm at most 7."""
    world, rng = World(level, seeds_sd), np.random.default_rng(7)
    held = alarms = 0
    for _ in range(400):
        image_N = rng.normal(size=images)
        first, second = (world.correct(rng, seeds, image_N) for _ in range(2))
        interval = accuracy(first)
        held += interval.low <= world.truth <= interval.high
        alarms += difference(first, second).excludes_zero
    assert 0.93 <= held / 400 <= 0.99
    assert alarms / 400 <= 0.07


def test_a_real_difference_is_found() -> None:
    better, worse, rng = World(3.4, 0.1), World(2.6, 0.1), np.random.default_rng(3)
    found = 0
    for _ in range(100):
        image_N = rng.normal(size=2000)
        found += difference(better.correct(rng, 3, image_N), worse.correct(rng, 3, image_N)).low > 0
    assert found >= 95
