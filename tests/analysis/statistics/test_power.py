"""Power against closed forms where there are any, and against simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.power import TTestPower

from linewise.analysis.statistics.contrasts import Contrast, Moments, satterthwaite
from linewise.analysis.statistics.paired import paired
from linewise.analysis.statistics.power import ONE_SEED, Components, Needed, needed, smallest_visible

STUDY = Components(images=0.012, seeds=(4e-6, 2e-6), rest=(0.014, 0.01), num_seeds=(3, 3), num_images=10_000)


def networks(seeds: int = 4, images: int = 2000, spread: float = 0.02) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    level_SN = 0.9 + rng.normal(0, 0.08, images)
    return [rng.random((seeds, images)) < level_SN + rng.normal(0, spread, (seeds, 1)) for _ in range(2)]


def test_with_images_alone_it_is_the_power_of_a_paired_t_test() -> None:
    """Seeds without variance: statsmodels has the answer."""
    alone = Components(images=0.04, seeds=(0.0, 0.0), rest=(0.0, 0.0), num_seeds=(3, 3), num_images=300)
    for difference in (0.01, 0.03, 0.05):
        theirs = TTestPower().power(difference / 0.2, 300, 0.05)
        assert alone.power(difference) == pytest.approx(theirs, abs=2e-3)
    theirs = 0.2 * TTestPower().solve_power(nobs=300, alpha=0.05 / 10, power=0.9)
    assert alone.smallest(0.9, num_pairs=10) == pytest.approx(theirs, rel=5e-3)


def test_with_seeds_alone_it_is_the_power_of_welchs_test() -> None:
    """Images without variance: simulated Welch tests of run accuracies."""
    alone = Components(images=0.0, seeds=(4e-4, 1e-4), rest=(0.0, 0.0), num_seeds=(5, 5), num_images=10**6)
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.04, 0.02, (20_000, 5)), rng.normal(0, 0.01, (20_000, 5))
    found = (stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue < 0.05).mean()
    assert alone.power(0.04) == pytest.approx(found, abs=0.015)


@pytest.mark.parametrize("num_pairs", [1, 10])
def test_it_is_how_often_the_test_of_a_contrast_finds_the_difference(num_pairs: int) -> None:
    """Estimates and variances drawn as the model says, and put through the test itself."""
    gap, rng, found = STUDY.smallest(num_pairs=num_pairs), np.random.default_rng(1), 0
    assert gap is not None
    rest = sum(STUDY.rest) / 3 / 10_000
    seeds_2 = (np.array(STUDY.seeds) + np.array(STUDY.rest) / 10_000) / 3
    images = STUDY.images / 10_000 + rest
    for _ in range(3000):
        seen_2 = seeds_2 * rng.chisquare(2, 2) / 2
        estimate = rng.normal(gap, np.sqrt(images + seeds_2.sum() - rest))
        freedom = float(satterthwaite(seen_2, np.array([2, 2])))
        one = Contrast(estimate, np.zeros(10_000), images, float(seen_2.sum()), rest, freedom, True)
        found += one.p_value() < 0.05 / num_pairs
    assert found / 3000 == pytest.approx(0.8, abs=0.025)


def test_components_are_found_again() -> None:
    """Their means over 600 drawn studies, from a model whose variances are known."""
    rng, found = np.random.default_rng(0), []
    for _ in range(600):
        image_N = rng.choice([-0.1, 0.1], 400)
        first = rng.random((3, 400)) < 0.8 + image_N + rng.choice([-0.05, 0.05], (3, 1))
        second = rng.random((4, 400)) < 0.7 - image_N / 2 + rng.choice([-0.1, 0.1], (4, 1))
        study = Components.of(Moments.of(first), Moments.of(second))
        assert study is not None
        found.append([study.images, *study.seeds, *study.rest])
    rest = [0.8 * 0.2 - 0.1**2 - 0.05**2, 0.7 * 0.3 - 0.05**2 - 0.1**2]
    assert np.mean(found, axis=0) == pytest.approx([0.15**2, 0.05**2, 0.1**2, *rest], rel=0.05)


def test_the_smallest_visible_difference_has_the_power_it_states() -> None:
    first, second = networks()
    for power, num_pairs in ((0.8, 1), (0.8, 10), (0.95, 1)):
        study = Components.of(Moments.of(first), Moments.of(second))
        assert study is not None
        found = smallest_visible(first, second, power, num_pairs)
        assert found is not None
        assert study.power(found, num_pairs) == pytest.approx(power)
    assert smallest_visible(first, second) < smallest_visible(first, second, num_pairs=10)  # type: ignore[operator]


def test_needed_is_the_smallest_number_that_is_enough() -> None:
    first, second = networks()
    study = Components.of(Moments.of(first), Moments.of(second))
    assert study is not None
    for gap in (0.02, 0.03, 0.05):
        found = needed(first, second, -gap)
        for field, count, pack in (
            ("num_seeds", found.seeds, lambda n: (n, n)),
            ("num_images", found.images, int),
        ):
            if count is not None:
                assert replace(study, **{field: pack(count)}).power(gap) >= 0.8
                assert count == 2 or replace(study, **{field: pack(count - 1)}).power(gap) < 0.8
    assert needed(first, second, 0.03).seeds is not None


def test_many_seeds_leave_the_images_and_many_images_leave_the_seeds() -> None:
    """With one source gone, the other's floor decides, and it has a closed form."""
    floor = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * np.sqrt(STUDY.images / STUDY.num_images)
    assert replace(STUDY, num_seeds=(10_000, 10_000)).smallest() == pytest.approx(floor, rel=1e-2)
    endless = replace(STUDY, num_images=10**9)
    found = optimize.brentq(lambda gap: endless.power(gap) - 0.8, 0, 0.1)
    assert endless.smallest() == pytest.approx(found, rel=1e-6)
    assert found > (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * np.sqrt(sum(STUDY.seeds) / 3)


def test_where_one_way_alone_does_not_lead_there_it_says_so() -> None:
    first, second = networks(3, 400, 0.05)
    assert needed(first, second, 1e-4) == Needed(
        None, None, "on 400 images no number of seeds is enough; with 3 seeds no number of images is enough"
    )
    assert needed(first, second, 0.0).seeds is None
    assert needed(first[:2], second, 0.001).reason.endswith("with 2 and 3 seeds no number of images is enough")


def test_one_seed_says_nothing_of_seeds() -> None:
    first, second = networks()
    assert smallest_visible(first[:1], second) is None
    assert needed(first[:1], second, 0.1) == Needed(None, None, ONE_SEED)


def test_two_seeds_and_many_pairs_may_see_nothing_at_all() -> None:
    wild = Components(images=0.1, seeds=(0.05, 0.05), rest=(0.1, 0.1), num_seeds=(2, 2), num_images=100)
    assert wild.smallest(num_pairs=36) is None


def test_nothing_varies() -> None:
    """Runs that are all right say nothing of how small a difference would have been found."""
    right_SN = np.ones((3, 5))
    assert smallest_visible(right_SN, right_SN) is None
    assert needed(right_SN, right_SN, 0.01) == Needed(
        None, None, "nothing varies between these runs, so it is not known how much others would"
    )
    assert paired(right_SN, right_SN).text.endswith(
        "Nothing varies between these runs, so what else would have been found is not known."
    )
