"""Whether measures of difficulty agree: rank correlations between runs that share no seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.analysis.difficulty.measures import MEASURES, Witness, over_families
from linewise.analysis.intervals import CONFIDENCE, Interval

BOOTSTRAPS, AT_ONCE = 400, 50


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation of two measures over images, with a bootstrap interval over images.

    Attributes:
        first, second: measures; of one with itself it is how well the measure repeats on other seeds. A measure
            that is the same for all images has no correlation and is left out.
        value: with its interval; `num_seeds` counts the runs behind each of the two.
    """

    first: str
    second: str
    value: Interval


@dataclass(frozen=True)
class Correlations:
    """All pairs of measures.

    Attributes:
        crossed: whether the two measures of a pair come from different seeds. With one seed they come from
            the same runs, whose chance events they share, and the diagonal is left out.
        pairs: each unordered pair once.
    """

    crossed: bool
    pairs: list[Correlation]


def correlations(found: list[Witness]) -> Correlations:
    """Correlate every two measures.

    With two seeds or more the first measure is taken on one half of the seeds and the second on the other, both
    ways, and the two coefficients are averaged.
    """
    halves = [[w for w in found if w.half == half] for half in (0, 1)]
    crossed = all(halves)
    sides = halves if crossed else [found, found]
    ranked = [_varying(side) for side in sides]
    names = [name for name in MEASURES if name in ranked[0] and name in ranked[1]]
    chosen = [(a, b) for i, a in enumerate(names) for b in names[i if crossed else i + 1 :]]
    if not chosen:
        return Correlations(crossed, [])
    seeds = min(len(side) for side in sides)
    images = len(ranked[0][names[0]])
    whole = _coefficients(ranked, chosen, np.ones((1, images)))[0]
    drawn = _bootstrap(ranked, chosen, images)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(drawn, [tail, 100 - tail], axis=0)
    return Correlations(
        crossed,
        [
            Correlation(a, b, Interval(float(whole[i]), float(low[i]), float(high[i]), images, seeds, False))
            for i, (a, b) in enumerate(chosen)
        ],
    )


def _varying(found: list[Witness]) -> dict[str, np.ndarray]:
    """Those measures that tell images apart."""
    measures = {name: over_families(found, name) for name in MEASURES}
    return {name: array for name, array in measures.items() if array is not None and np.ptp(array) > 0}


def _bootstrap(ranked: list[dict[str, np.ndarray]], chosen: list[tuple[str, str]], images: int) -> np.ndarray:
    rng, found = np.random.default_rng(0), []
    for _ in range(BOOTSTRAPS // AT_ONCE):
        drawn_BI = rng.integers(0, images, size=(AT_ONCE, images))
        weights_BN = np.stack([np.bincount(drawn, minlength=images) for drawn in drawn_BI])
        found.append(_coefficients(ranked, chosen, weights_BN.astype(np.float64)))
    return np.concatenate(found)


def _coefficients(
    ranked: list[dict[str, np.ndarray]], chosen: list[tuple[str, str]], weights_BN: np.ndarray
) -> np.ndarray:
    """Mean of the two crossed coefficients, for each set of weights and each pair of measures."""
    scores = [{name: _scores(array, weights_BN) for name, array in side.items()} for side in ranked]
    columns = []
    for a, b in chosen:
        both = [(weights_BN * scores[i][a] * scores[1 - i][b]).sum(axis=1) for i in (0, 1)]
        columns.append((both[0] + both[1]) / 2)
    return np.stack(columns, axis=1)


def _scores(array_N: np.ndarray, weights_BN: np.ndarray) -> np.ndarray:
    """Average ranks of a weighted sample, centred and of length 1: their weighted product is Spearman's."""
    _, code_N = np.unique(array_N, return_inverse=True)
    count_BV = np.stack([np.bincount(code_N, weights, minlength=code_N.max() + 1) for weights in weights_BN])
    rank_BV = np.cumsum(count_BV, axis=1) - count_BV / 2
    total_B = weights_BN.sum(axis=1, keepdims=True)
    rank_BV -= (rank_BV * count_BV).sum(axis=1, keepdims=True) / total_B
    length_B = np.sqrt((rank_BV**2 * count_BV).sum(axis=1, keepdims=True))
    alike_B = length_B <= 1e-9 * total_B**1.5  # a sample in which all images are alike, but for rounding
    return np.where(alike_B, np.nan, rank_BV / np.where(alike_B, 1.0, length_B))[:, code_N]
