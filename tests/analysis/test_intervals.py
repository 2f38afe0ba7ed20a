"""Intervals against scipy and statsmodels, against closed forms by hand, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from linewise.analysis.intervals import (
    Interval,
    accuracy,
    bonett_price,
    clopper_pearson,
    describe,
    difference,
    family,
    family_difference,
    wilson,
)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (49, 50), (9876, 10_000), (180, 360)])
def test_wilson_is_scipys(right: int, n: int) -> None:
    theirs = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert wilson(right, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_ends_at_0_and_1_without_rounding() -> None:
    for n in range(1, 300):
        assert (wilson(0, n)[0], wilson(n, n)[1]) == (0.0, 1.0)


def test_one_seed_is_wilson_and_says_so() -> None:
    correct = np.arange(200) % 10 != 0
    interval = accuracy(correct[None])
    assert (interval.low, interval.high) == wilson(180, 200)
    assert (interval.num_seeds, interval.num_images, interval.covers_seeds) == (1, 200, False)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (49, 50), (9876, 10_000), (180, 360)])
def test_clopper_pearson_is_statsmodels(right: int, n: int) -> None:
    assert clopper_pearson(right, n) == pytest.approx(proportion_confint(right, n, method="beta"), abs=1e-12)


def test_several_seeds_are_wilson_with_an_effective_number_by_hand() -> None:
    rng = np.random.default_rng(0)
    correct_SN = rng.random((3, 60)) < 0.85
    correct_SN[0, :6] = False
    half = half_width(correct_SN.mean(0), [correct_SN])
    p = correct_SN.mean()
    effective = stats.norm.ppf(0.975) ** 2 * p * (1 - p) / half**2
    assert effective > 60
    found = accuracy(correct_SN)
    assert (found.low, found.high) == pytest.approx(proportion_confint(p * effective, effective, method="wilson"))
    assert (found.num_seeds, found.num_images, found.covers_seeds) == (3, 60, True)


def half_width(per_image_N: np.ndarray, networks: list[np.ndarray], confidence: float = 0.95) -> float:
    """Of an interval of at most 95 %, from sums of squares: each variance with its own quantile, the rest taken off
    the seeds."""
    images, seeds, rest = per_image_N.var(ddof=1) / len(per_image_N), [], 0.0
    for correct_SN in networks:
        num, n = correct_SN.shape
        left = correct_SN - correct_SN.mean(0) - correct_SN.mean(1, keepdims=True) + correct_SN.mean()
        rest += (left**2).sum() / ((num - 1) * (n - 1)) / (num * n)
        seeds.append((correct_SN.mean(1).var(ddof=1) / num, num - 1))
    total = sum(v for v, _ in seeds)
    df = total**2 / sum(v**2 / d for v, d in seeds)
    share = 1 - min(1, rest / images) ** 2 / 3
    of_seeds = max(0, total - share * rest)
    z, t = (stats.t.ppf((1 + confidence) / 2, freedom) for freedom in (len(per_image_N) - 1, df))
    return float(np.sqrt(z**2 * (images - min((1 - share) * rest, of_seeds)) + t**2 * of_seeds))


def test_another_confidence() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random((3, 50)) < 0.9, rng.random((2, 50)) < 0.6
    wrong = [np.arange(200) % every != 0 for every in (10, 3)]
    theirs = stats.binomtest(180, 200).proportion_ci(0.5, method="wilson")
    one = accuracy(wrong[0][None], 0.5)
    assert wilson(180, 200, 0.5) == (one.low, one.high) == pytest.approx((theirs.low, theirs.high))
    assert clopper_pearson(180, 200, 0.5) == pytest.approx(proportion_confint(180, 200, 0.5, method="beta"))
    half = half_width(a.mean(0) - b.mean(0), [a, b], 0.5)
    two = difference(a, b, 0.5)
    assert (two.low, two.high) == pytest.approx((two.estimate - half, two.estimate + half))
    z, p, half = stats.norm.ppf(0.75), a.mean(), half_width(a.mean(0), [a], 0.5)
    many, effective = accuracy(a, 0.5), z**2 * p * (1 - p) / half**2
    assert (many.low, many.high) == pytest.approx(
        proportion_confint(p * effective, effective, 0.5, method="wilson")
    )
    one_each = difference(wrong[0][None], wrong[1][None], 0.5)
    padded = np.concatenate([wrong[0] * 1.0 - wrong[1], [1, -1]])
    low, high = stats.norm.interval(0.5, padded.mean(), padded.std() / np.sqrt(202))
    assert (one_each.low, one_each.high) == pytest.approx((low, high))
    assert bonett_price(wrong[0] * 1.0 - wrong[1], 0.5) == (one_each.low, one_each.high)


def test_a_difference_is_no_larger_than_one() -> None:
    right, wrong = np.ones((1, 4)), np.zeros((1, 4))
    forth, back = difference(right, wrong), difference(wrong, right)
    assert (forth.estimate, forth.high, back.estimate, back.low) == (1.0, 1.0, -1.0, -1.0)
    padded = np.array([1, 1, 1, 1, 1, -1])
    assert (
        forth.low == -back.high == pytest.approx(padded.mean() - stats.norm.ppf(0.975) * padded.std() / np.sqrt(6))
    )


def test_in_words() -> None:
    assert describe(Interval(0.98764, 0.98496, 0.99023, 10_000, 3, True)) == "98.76 % (98.50 to 99.02)"


def test_an_interval_that_touches_zero_does_not_exclude_it() -> None:
    ends = [(0.0, 0.1), (-0.1, 0.0), (-0.1, 0.1), (0.01, 0.1), (-0.1, -0.01)]
    found = [Interval(0.0, low, high, 10, 3, True).excludes_zero for low, high in ends]
    assert found == [False, False, False, True, True]


def test_all_right_everywhere_is_not_certainty() -> None:
    found = accuracy(np.ones((3, 100)))
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(wilson(100, 100)[0])


def test_one_against_one_seed_is_bonett_and_prices() -> None:
    """Their formula by hand, from the counts of images that only one of the two gets right."""
    rng = np.random.default_rng(0)
    a, b = rng.random(300) < 0.9, rng.random(300) < 0.8
    n10, n01, n = int((a & ~b).sum()), int((b & ~a).sum()), 300
    p10, p01 = (n10 + 1) / (n + 2), (n01 + 1) / (n + 2)
    half = stats.norm.ppf(0.975) * np.sqrt((p10 + p01 - (p10 - p01) ** 2) / (n + 2))
    ours = difference(a[None], b[None])
    assert ours.estimate == pytest.approx((n10 - n01) / n)
    assert (ours.low, ours.high) == pytest.approx((p10 - p01 - half, p10 - p01 + half))
    assert not ours.covers_seeds


def test_few_differing_images_are_not_a_difference() -> None:
    """Four images to none: McNemar's exact test gives p = 0.125, and the plain interval would exclude 0."""
    better = np.ones((1, 360))
    worse = better.copy()
    worse[0, :4] = 0
    assert not difference(better, worse).excludes_zero
    worse[0, :12] = 0  # p = 0.0005
    assert difference(better, worse).excludes_zero


@pytest.mark.parametrize("seeds", [1, 3])
def test_two_networks_without_errors_are_not_known_to_be_equal(seeds: int) -> None:
    found = difference(np.ones((seeds, 360)), np.ones((seeds, 360)))
    assert found.estimate == 0
    assert found.high == pytest.approx(stats.norm.ppf(0.975) * np.sqrt(2) / 362)  # 0.8 points
    assert found.low == -found.high


def test_three_against_two_seeds_by_hand() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random((3, 50)) < 0.9, rng.random((2, 50)) < 0.6
    b[0, :15] = True
    half = half_width(a.mean(0) - b.mean(0), [a, b])
    found = difference(a, b)
    estimate = a.mean() - b.mean()
    assert (found.low, found.high) == pytest.approx((estimate - half, min(1, estimate + half)))
    assert (found.num_seeds, found.num_images, found.covers_seeds) == (2, 50, True)


def test_a_family_is_the_mean_of_its_networks() -> None:
    rng = np.random.default_rng(3)
    a, b, c = rng.random((3, 80)) < 0.9, rng.random((4, 80)) < 0.7, rng.random((2, 80)) < 0.8
    found = family([a, b, c])
    assert found.estimate == pytest.approx((a.mean() + b.mean() + c.mean()) / 3)
    assert (found.num_seeds, found.num_images, found.covers_seeds) == (2, 80, True)
    assert family([a]) == accuracy(a)
    assert not family([a, b[:1]]).covers_seeds
    per_image_N = (a[0] * 1.0 + b[0]) / 2  # one seed each: images alone, with Student's quantile
    half, p = stats.t.ppf(0.975, 79) * per_image_N.std(ddof=1) / np.sqrt(80), per_image_N.mean()
    effective = stats.norm.ppf(0.975) ** 2 * p * (1 - p) / half**2
    pair = family([a[:1], b[:1]])
    assert (pair.low, pair.high) == pytest.approx(proportion_confint(p * effective, effective, method="wilson"))
    assert family([a[:1], b[:1]]).low < (a[0].mean() + b[0].mean()) / 2


def test_copies_of_one_network_make_a_family_with_more_seeds() -> None:
    """Two networks of three seeds against one of six: the same variance over images, seeds free within networks."""
    rng = np.random.default_rng(4)
    six = rng.random((6, 2000)) < 0.9 + rng.normal(0, 0.05, 2000)
    one, two = family([six]), family([six[:3], six[3:]])
    assert two.estimate == pytest.approx(one.estimate)
    assert two.high - two.low == pytest.approx(one.high - one.low, rel=0.15)


def test_families_against_each_other() -> None:
    rng = np.random.default_rng(5)
    a, b, c = (rng.random((3, 200)) < level for level in (0.9, 0.8, 0.7))
    assert family_difference([a], [c]) == difference(a, c)
    found = family_difference([a, b], [c])
    assert found.estimate == pytest.approx((a.mean() + b.mean()) / 2 - c.mean())
    assert found.excludes_zero
    assert not family_difference([a, b], [c[:1]]).covers_seeds


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
    """Over 1,200 studies: intervals hold the truth 93 to 97 times in 100, within what chance allows.

    The tables of many settings, with more studies, are in docs/results/simulation.
    """
    world, rng = World(level, seeds_sd), np.random.default_rng(7)
    held = alarms = 0
    for _ in range(1200):
        image_N = rng.normal(size=images)
        first, second = (world.correct(rng, seeds, image_N) for _ in range(2))
        interval = accuracy(first)
        held += interval.low <= world.truth <= interval.high
        alarms += difference(first, second).excludes_zero
    chance = 2.6 * np.sqrt(0.05 * 0.95 / 1200)
    assert 0.93 - chance <= held / 1200 <= 0.97 + chance
    assert 0.03 - chance <= alarms / 1200 <= 0.07 + chance


def test_one_seed_cannot_promise_as_much_and_says_so() -> None:
    """Networks that differ by their seed alone: with one seed each, images tell them apart far too often."""
    world, rng = World(5.0, 0.2, images_sd=2.0), np.random.default_rng(1)
    found = []
    for _ in range(400):
        image_N = rng.normal(size=2000)
        found.append(difference(world.correct(rng, 1, image_N), world.correct(rng, 1, image_N)))
    assert 0.15 <= np.mean([gap.excludes_zero for gap in found]) <= 0.35
    assert not any(gap.covers_seeds for gap in found)


def test_a_real_difference_is_found() -> None:
    better, worse, rng = World(3.4, 0.1), World(2.6, 0.1), np.random.default_rng(3)
    found = 0
    for _ in range(100):
        image_N = rng.normal(size=2000)
        found += difference(better.correct(rng, 3, image_N), worse.correct(rng, 3, image_N)).low > 0
    assert found >= 95
