"""Rank correlations against scipy's, and their bootstrap against a plain one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from linewise.analysis.difficulty.correlations import _scores, correlations
from linewise.analysis.difficulty.measures import Witness


def panel(images: int = 400, halves: tuple[int, ...] = (0, 1), noise: float = 0.1) -> list[Witness]:
    """Runs of two families whose measures follow one hidden difficulty, with many ties."""
    rng = np.random.default_rng(0)
    hard_N, found = rng.beta(0.4, 2.0, images), []
    for family in ("recurrent", "convolutional"):
        for half in halves:
            for _ in range(3):
                seen_N = hard_N + noise * rng.normal(size=images)
                measures = {
                    "wrong": (seen_N > 0.5).astype(float),
                    "learned": np.clip(np.ceil(6 * seen_N), 1, 6),
                    "forgotten": rng.poisson(np.clip(hard_N, 0, 1)).astype(float),
                }
                found.append(Witness(family, half, measures))
    return found


def mean_of(found: list[Witness], half: int, name: str) -> np.ndarray:
    families = ("recurrent", "convolutional")
    return np.mean(
        [np.mean([w.measures[name] for w in found if (w.family, w.half) == (f, half)], axis=0) for f in families],
        axis=0,
    )


def test_crossed_halves_are_the_mean_of_two_of_scipys() -> None:
    witnesses = panel()
    found = correlations(witnesses)
    assert found.crossed
    assert [(p.first, p.second) for p in found.pairs] == [
        ("wrong", "wrong"), ("wrong", "learned"), ("wrong", "forgotten"), ("learned", "learned"),
        ("learned", "forgotten"), ("forgotten", "forgotten"),
    ]  # fmt: skip
    for pair in found.pairs:
        rho = [
            stats.spearmanr(mean_of(witnesses, h, pair.first), mean_of(witnesses, 1 - h, pair.second)).statistic
            for h in (0, 1)
        ]
        assert pair.value.estimate == pytest.approx(np.mean(rho))
        assert pair.value.low < pair.value.estimate < pair.value.high
        assert pair.value.num_images == 400


def test_the_interval_is_that_of_a_plain_bootstrap() -> None:
    witnesses, rng = panel(images=150), np.random.default_rng(1)
    pair = next(p for p in correlations(witnesses).pairs if (p.first, p.second) == ("wrong", "learned"))
    sides = [(mean_of(witnesses, h, "wrong"), mean_of(witnesses, 1 - h, "learned")) for h in (0, 1)]
    drawn = []
    for _ in range(600):
        chosen = rng.integers(0, 150, 150)
        drawn.append(np.mean([stats.spearmanr(a[chosen], b[chosen]).statistic for a, b in sides]))
    assert (pair.value.low, pair.value.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.03)


def test_one_seed_is_not_crossed_and_has_no_diagonal() -> None:
    witnesses = panel(halves=(0,))
    found = correlations(witnesses)
    assert not found.crossed
    assert [(p.first, p.second) for p in found.pairs] == [
        ("wrong", "learned"), ("wrong", "forgotten"), ("learned", "forgotten"),
    ]  # fmt: skip
    rho = stats.spearmanr(mean_of(witnesses, 0, "wrong"), mean_of(witnesses, 0, "learned")).statistic
    assert found.pairs[0].value.estimate == pytest.approx(rho)


def test_the_same_runs_would_agree_by_chance_alone() -> None:
    """Runs without any common difficulty: on other seeds measures are unrelated, on the same ones they are not."""
    rng, found = np.random.default_rng(2), []
    for half in (0, 1):
        for _ in range(3):
            seen_N = rng.normal(size=2000)
            measures = {"wrong": (seen_N > 1).astype(float), "learned": np.clip(np.ceil(3 + seen_N), 1, 6)}
            found.append(Witness("recurrent", half, measures))
    crossed = {(p.first, p.second): p.value for p in correlations(found).pairs}
    same = correlations([w for w in found if w.half == 0]).pairs[0].value
    assert all(value.low < 0 < value.high for value in crossed.values())
    assert same.low > 0.5


def test_measures_that_never_vary_are_left_out() -> None:
    still = [Witness("recurrent", half, {"wrong": np.zeros(20)}) for half in (0, 1)]
    assert correlations(still).pairs == []


def test_samples_in_which_all_images_are_alike() -> None:
    """Rounding leaves them a spread of nearly nothing, which is none."""
    array_N = np.zeros(67)
    array_N[0] = 1 / 3
    weights_BN = np.ones((2, 67))
    weights_BN[1, 0] = 0
    scores_BN = _scores(array_N, weights_BN)
    assert np.isfinite(scores_BN[0]).all()
    assert np.isnan(scores_BN[1]).all()
