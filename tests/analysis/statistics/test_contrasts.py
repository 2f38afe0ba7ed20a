"""Variances against analysis of variance by hand and statsmodels; intervals and p-values against closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from linewise.analysis.statistics.contrasts import Contrast, Moments, contrast, satterthwaite


def answers(seeds: int, images: int, seed: int = 0, level: float = 0.8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random((seeds, images)) < np.clip(level + 0.3 * rng.normal(size=images), 0, 1)


def mean_squares(correct_SN: np.ndarray) -> tuple[float, float, float]:
    """Of images, seeds and the rest, by statsmodels' table."""
    seeds, images = np.indices(correct_SN.shape)
    frame = pd.DataFrame({"y": correct_SN.ravel().astype(float), "s": seeds.ravel(), "i": images.ravel()})
    table = anova_lm(ols("y ~ C(s) + C(i)", frame).fit())
    found = table["sum_sq"] / table["df"]
    return found["C(i)"], found["C(s)"], found["Residual"]


@pytest.mark.parametrize(("seeds", "images"), [(2, 40), (3, 25), (6, 12)])
def test_moments_are_the_mean_squares_of_anova(seeds: int, images: int) -> None:
    correct_SN = answers(seeds, images)
    of_images, of_seeds, rest = mean_squares(correct_SN)
    found, alone = Moments.of(correct_SN), contrast([Moments.of(correct_SN)], [1])
    assert found.seeds == pytest.approx(of_seeds / (seeds * images))
    assert found.rest == pytest.approx(rest / (seeds * images))
    assert alone.images == pytest.approx(of_images / (seeds * images))
    assert alone.freedom == pytest.approx(seeds - 1)


def test_the_sum_of_variances_has_no_bias() -> None:
    """images + seeds − rest over 4,000 studies, against the variance of their accuracies."""
    rng, estimates, found = np.random.default_rng(0), [], []
    for _ in range(4000):
        logit_SN = 1 + 1.5 * rng.normal(size=60) + rng.normal(0, 0.5, (3, 1))
        one = contrast([Moments.of(rng.random((3, 60)) < 1 / (1 + np.exp(-logit_SN)))], [1])
        estimates.append(one.estimate)
        found.append(one.images + one.seeds - one.rest)
    assert np.mean(found) == pytest.approx(np.var(estimates), rel=0.06)


def test_a_difference_adds_the_seeds_of_both_and_pairs_the_images() -> None:
    first, second = answers(3, 50, 1), answers(4, 50, 2)
    found = contrast([Moments.of(first), Moments.of(second)], [1, -1])
    per_image_N = first.mean(0) - second.mean(0)
    parts = [first.mean(1).var(ddof=1) / 3, second.mean(1).var(ddof=1) / 4]
    assert found.estimate == pytest.approx(first.mean() - second.mean())
    assert found.images == pytest.approx(per_image_N.var(ddof=1) / 50)
    assert found.seeds == pytest.approx(sum(parts))
    assert found.rest == pytest.approx(Moments.of(first).rest + Moments.of(second).rest)
    assert found.freedom == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3))


def test_satterthwaite_is_welchs() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 5))
    b = 3 * b[:4]
    theirs = stats.ttest_ind(a, b, equal_var=False).df
    assert satterthwaite(np.array([a.var(ddof=1) / 5, b.var(ddof=1) / 4]), np.array([4, 3])) == pytest.approx(
        theirs
    )


def test_with_seeds_alone_it_is_students_interval_and_test() -> None:
    """Images that bring nothing: the runs' accuracies are all there is."""
    runs = np.array([0.91, 0.94, 0.96, 0.89])
    found = Contrast(runs.mean() - 0.9, np.zeros(1000), 0.0, runs.var(ddof=1) / 4, 0.0, 3.0, True)
    theirs = stats.ttest_1samp(runs, 0.9)
    low, high = theirs.confidence_interval(0.95)
    assert found.half_width(0.95) == pytest.approx((high - low) / 2)
    assert found.p_value() == pytest.approx(theirs.pvalue, rel=1e-6)


def test_with_images_alone_it_is_the_paired_t_test() -> None:
    first, second = answers(1, 80, 1), answers(1, 80, 2, 0.6)
    found = contrast([Moments.of(first), Moments.of(second)], [1, -1])
    assert not found.covers_seeds
    assert found.p_value() == pytest.approx(stats.ttest_rel(first[0].astype(int), second[0].astype(int)).pvalue)


def test_half_width_by_hand() -> None:
    found = Contrast(0.1, np.zeros(400), 4e-4, 3e-4, 1e-4, 2.0, True)
    z, t = stats.t.ppf(0.975, 399) ** 2, stats.t.ppf(0.975, 2) ** 2
    share = 1 - 0.25**2 / 3
    assert found.half_width(0.95) ** 2 == pytest.approx(
        z * (4e-4 - (1 - share) * 1e-4) + t * (3e-4 - share * 1e-4)
    )
    z995, t995 = stats.t.ppf(0.9975, 399) ** 2, stats.t.ppf(0.9975, 2) ** 2
    share *= (z995 / t995) / (z / t)
    by_hand = z995 * (4e-4 - (1 - share) * 1e-4) + t995 * (3e-4 - share * 1e-4)
    assert found.half_width(0.995) ** 2 == pytest.approx(by_hand)


def test_seeds_that_vary_less_than_images_explain_add_nothing() -> None:
    found = Contrast(0.1, np.zeros(400), 4e-4, 0.5e-4, 1e-4, 2.0, True)
    assert found.half_width(0.95) == pytest.approx(stats.t.ppf(0.975, 399) * 0.02)


@given(
    st.floats(1e-8, 1e-3), st.floats(0, 1e-3), st.floats(0, 1), st.floats(1, 30), st.floats(1e-4, 0.5)
)  # fmt: skip
def test_the_p_value_is_that_of_the_interval_which_just_reaches_zero(
    images: float, seeds: float, rest: float, freedom: float, estimate: float
) -> None:
    found = Contrast(estimate, np.zeros(500), images, seeds, rest * images, freedom, True)
    p = found.p_value()
    assert 0 < p <= 1
    if 1e-12 < p < 1 - 1e-12:
        assert found.half_width(1 - p) == pytest.approx(estimate, rel=1e-3)
    assert found.half_width(0.8) <= found.half_width(0.95) <= found.half_width(0.999)
    assert (p < 0.05) == (estimate > found.half_width(0.95)) or p == pytest.approx(0.05)


def test_nothing_varies() -> None:
    same, none = np.ones((3, 4)), np.zeros((3, 4))
    found = contrast([Moments.of(same), Moments.of(none)], [1, -1])
    padded = np.array([1, 1, 1, 1, 1, -1])
    assert found.p_value() == pytest.approx(2 * stats.norm.sf(padded.mean() / np.sqrt(padded.var() / 6)))
    assert contrast([Moments.of(same), Moments.of(same)], [1, -1]).p_value() == 1


def test_p_where_the_rest_explains_all_of_the_seeds() -> None:
    """The p-value belongs to the interval: with two images, a few runs of each cannot tell networks apart."""
    first = Moments.of(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    found = contrast((first, Moments.of(np.zeros((2, 2)))), (1, -1))
    assert found.estimate == pytest.approx(2 / 3)
    assert found.seeds > 0
    assert found.half_width(0.95) == 0
    assert found.p_value() > 0.05


def test_one_image_leaves_the_seeds_alone() -> None:
    found = Moments.of(np.array([[1.0], [0.0], [1.0]]))
    assert found.mean_N.tolist() == pytest.approx([2 / 3])
    assert (found.num_seeds, found.seeds, found.rest) == (3, pytest.approx(1 / 3 / 3), 0.0)


def test_no_more_than_the_rest_is_subtracted() -> None:
    """Few images and many seeds: beyond 95 % the quantile of images grows faster, and the share stays what it is."""
    found = Contrast(0.1, np.zeros(5), 4e-4, 3e-4, 1e-4, 30.0, True)
    z, t = stats.t.ppf(0.9995, 4) ** 2, stats.t.ppf(0.9995, 30) ** 2
    share = 1 - 0.25**2 / 3
    by_hand = z * (4e-4 - (1 - share) * 1e-4) + t * (3e-4 - share * 1e-4)
    assert found.half_width(0.999) ** 2 == pytest.approx(by_hand)
