"""Two networks compared: numbers against their parts, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from linewise.analysis.intervals import difference
from linewise.analysis.statistics.contrasts import Moments, contrast
from linewise.analysis.statistics.exact import permutation
from linewise.analysis.statistics.paired import compare, paired
from linewise.analysis.statistics.power import smallest_visible


def networks(first: float, second: float, seeds: tuple[int, int] = (3, 3), images: int = 1000) -> list[np.ndarray]:
    """Runs that share the difficulty of the images."""
    rng = np.random.default_rng(0)
    image_N = rng.normal(0, 0.08, images)
    levels = zip((first, second), seeds, strict=True)
    return [rng.random((num, images)) < np.clip(level + image_N, 0, 1) for level, num in levels]


def test_the_primary_p_value_belongs_to_the_interval() -> None:
    for second in (0.9, 0.88, 0.87, 0.86, 0.8):
        first_SN, second_SN = networks(0.9, second)
        found = paired(first_SN, second_SN)
        assert found.difference == difference(first_SN, second_SN)
        assert found.p == contrast([Moments.of(first_SN), Moments.of(second_SN)], [1, -1]).p_value()
        assert found.p == found.p_holm
        assert found.p is not None
        assert (found.p < 0.05) == found.difference.excludes_zero
        assert found.smallest_visible == smallest_visible(first_SN, second_SN)


def test_verdicts() -> None:
    better, worse, same = networks(0.95, 0.8)[0], networks(0.95, 0.8)[1], networks(0.95, 0.95)[1]
    assert paired(better, worse).verdict == "first better"
    assert paired(worse, better).verdict == "second better"
    assert paired(better, same).verdict == "no difference shown"
    assert paired(better[:1], worse).verdict == "too few seeds"


@pytest.mark.parametrize(("second", "some"), [(0.9, 6), (0.93, 2), (0.95, 0)])
def test_every_run_is_held_against_every_run(second: float, some: int) -> None:
    first_SN, second_SN = networks(0.95, second, (2, 3))
    tests = paired(first_SN, second_SN).mcnemar
    p_values = []
    for s, t in np.ndindex(2, 3):
        only = int((first_SN[s] & ~second_SN[t]).sum()), int((second_SN[t] & ~first_SN[s]).sum())
        p_values.append(stats.binomtest(only[0], sum(only)).pvalue)
    assert np.ravel(tests.p_SS) == pytest.approx(p_values)
    ranked = sorted(p_values)  # Holm: as many as come before the first that is too large
    rejected = next((i for i, p in enumerate(ranked) if p * (6 - i) >= 0.05), 6)
    assert (tests.num_rejected, tests.num_pairs) == (rejected, 6)
    assert rejected == some


def test_three_against_three_seeds_give_no_permutation_p_and_say_why() -> None:
    first_SN, second_SN = networks(0.95, 0.5)
    found = paired(first_SN, second_SN)
    assert found.permutation_p is None
    assert found.permutation_reason == "with 3 and 3 seeds the smallest p-value possible is 0.1"
    first_SN, second_SN = networks(0.95, 0.5, (4, 4))
    found = paired(first_SN, second_SN)
    assert found.permutation_p == permutation(first_SN.sum(1), second_SN.sum(1)) == pytest.approx(2 / 70)
    assert found.permutation_reason == ""
    first_SN, second_SN = networks(0.95, 0.5, (1, 39))  # 2 of 40 orders are as extreme: never below 5 %
    assert paired(first_SN, second_SN).permutation_reason == (
        "with 1 and 39 seeds the smallest p-value possible is 0.05"
    )


def test_one_seed_gives_no_p_and_says_what_it_speaks_of() -> None:
    first_SN, second_SN = networks(0.95, 0.9, (1, 1))
    found = paired(first_SN, second_SN, labels=("cnn", "lstm"))
    gap, p = found.difference, found.mcnemar.p_SS[0][0]
    assert (found.p, found.p_holm, found.smallest_visible, found.permutation_p) == (None, None, None, None)
    assert found.text == (
        "Too few seeds to compare cnn with lstm: both networks have one seed, so how much seeds matter is not known. "
        f"Of these two runs alone: {100 * gap.estimate:+.2f} points for cnn (95 % interval {100 * gap.low:+.2f} to "
        f"{100 * gap.high:+.2f}), {'p < 0.001' if p < 0.001 else f'p = {p:.3f}'} by McNemar's exact test, 1,000 images."
    )


def test_one_seed_against_three() -> None:
    first_SN, second_SN = networks(0.95, 0.8, (1, 3))
    found = paired(first_SN, second_SN, labels=("cnn", "lstm"))
    gap = found.difference
    assert found.reason == paired(second_SN, first_SN).reason
    assert found.reason == "one of the networks has one seed, so how much seeds matter is not known"
    assert found.text.endswith(
        f"Of these runs alone: {100 * gap.estimate:+.2f} points for cnn (95 % interval {100 * gap.low:+.2f} to "
        f"{100 * gap.high:+.2f}); McNemar's exact test tells 3 of 3 pairs of runs apart, 1,000 images."
    )


def test_a_difference_in_words() -> None:
    found = paired(*networks(0.8, 0.95), labels=("lstm", "cnn"))
    gap = found.difference
    assert gap.high < 0
    assert found.text == (
        f"cnn is better than lstm by {-100 * gap.estimate:.2f} points (95 % interval {-100 * gap.high:.2f} to "
        f"{-100 * gap.low:.2f}), p < 0.001, 3 seeds, 1,000 images."
    )


def test_no_difference_in_words() -> None:
    found = paired(*networks(0.9, 0.9), labels=("lstm", "cnn"))
    gap = found.difference
    assert found.p is not None
    assert found.smallest_visible is not None
    assert found.text == (
        f"No difference between lstm and cnn was shown: {100 * gap.estimate:+.2f} points for lstm (95 % interval "
        f"{100 * gap.low:+.2f} to {100 * gap.high:+.2f}), p = {found.p:.3f}, 3 seeds, 1,000 images. A difference of "
        f"{100 * found.smallest_visible:.2f} points would have been found four times in five."
    )


def test_the_bootstrap_repeats_and_lies_about_the_estimate() -> None:
    first_SN, second_SN = networks(0.95, 0.9, (6, 6))
    found, again = paired(first_SN, second_SN), paired(first_SN, second_SN)
    other = paired(first_SN, second_SN, np.random.default_rng(7))
    assert found.bootstrap == again.bootstrap != other.bootstrap
    assert found.bootstrap.low < found.difference.estimate < found.bootstrap.high
    ratio = (found.bootstrap.high - found.bootstrap.low) / (found.difference.high - found.difference.low)
    assert 0.8 < ratio < 1.8
    assert paired(first_SN, second_SN, np.random.default_rng(0)).bootstrap == found.bootstrap
    few = paired(first_SN, second_SN, replicates=5).bootstrap
    assert few.high - few.low < found.bootstrap.high - found.bootstrap.low


def test_the_bootstrap_interval_lies_between_percentiles() -> None:
    correct = networks(0.95, 0.9, (6, 6))
    means_R2 = np.stack([np.linspace(0, 1, 1001), np.zeros(1001)], axis=1)
    found = compare((correct[0], correct[1]), means_R2, ("a", "b"))
    assert (found.bootstrap.low, found.bootstrap.high) == pytest.approx((0.025, 0.975))
    whole = replace(found.bootstrap, low=found.difference.low, high=found.difference.high)
    assert whole == found.difference
    assert (whole.num_images, whole.num_seeds, whole.covers_seeds, found.reason) == (1000, 6, True, "")


def test_a_study_that_could_not_have_shown_anything_says_so() -> None:
    """Two seeds each, of which one is right and one is wrong everywhere."""
    wild_SN = np.array([[True] * 50, [False] * 50])
    assert paired(wild_SN, wild_SN).text.endswith(" 50 images. This study could not have shown any difference.")
