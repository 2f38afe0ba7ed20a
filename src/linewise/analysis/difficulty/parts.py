"""Accuracy on the easy and on the hard images, judged by runs that did not say which are which."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from linewise.analysis.difficulty.measures import jurors
from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.analysis.intervals import CONFIDENCE, Interval, bonett_price
from linewise.analysis.overlap.spread import share

FAMILIES = ("recurrent", "convolutional")


@dataclass(frozen=True)
class PartOfImages:
    """The images that no run of one half of the seeds gets wrong, or those that some run does.

    Attributes:
        name: `easy` or `hard`.
        num_images: in it, for each half that judged.
        accuracy: by family, of the runs of the other half.
        difference: convolutional minus recurrent, paired by image; None where a family is missing.
    """

    name: str
    num_images: tuple[int, int]
    accuracy: dict[str, Interval]
    difference: Interval | None


@dataclass(frozen=True)
class _Half:
    """What the runs of one half of the seeds say.

    Attributes:
        hard_N: whether some run is wrong.
        mean: by family, share right per image: mean over networks of the mean over seeds.
        runs: by family, the network of each run and whether it is right, `(int, N)`.
    """

    hard_N: np.ndarray
    mean: dict[str, np.ndarray]
    runs: dict[str, list[tuple[int, np.ndarray]]]


def parts(evidence: Evidence) -> list[PartOfImages] | None:
    """Cross-fitted over seeds: each half of the seeds judges for the other.

    An image that the runs at hand get wrong is hard *for them* by definition; measured by other runs, it is not.
    Each interval is over images and seeds.

    Returns:
        None where no network has runs in both halves: with one seed it cannot be judged.
    """
    half_by_seed = {seed: place % 2 for place, seed in enumerate(evidence.spec.seeds)}
    networks = [n for n in jurors(evidence, evidence.split) if len(_halves(n, evidence.split, half_by_seed)) == 2]
    if not any(network.family in FAMILIES for network in networks):
        return None
    halves = [_half(networks, evidence.split, half_by_seed, half) for half in (0, 1)]
    made = [_part(name, [h.hard_N == (name == "hard") for h in halves], halves) for name in ("easy", "hard")]
    return [part for part in made if part is not None]


def _halves(network: NetworkEvidence, split: str, half_by_seed: dict[int, int]) -> set[int]:
    return {half_by_seed[run.seed] for run in network.answered(split)}


def _half(networks: list[NetworkEvidence], split: str, half_by_seed: dict[int, int], half: int) -> _Half:
    hard, mean, runs = [], {}, {}
    for place, network in enumerate(networks):
        correct_SN = network.correct_SN(split)
        assert correct_SN is not None
        chosen_S = np.array([half_by_seed[run.seed] == half for run in network.answered(split)])
        hard.append(~correct_SN[chosen_S].all(axis=0))
        mean.setdefault(network.family, []).append(correct_SN[chosen_S].mean(axis=0))
        runs.setdefault(network.family, []).extend((place, correct_N) for correct_N in correct_SN[chosen_S])
    return _Half(np.any(hard, axis=0), {family: np.mean(means, axis=0) for family, means in mean.items()}, runs)


def _part(name: str, inside: list[np.ndarray], halves: list[_Half]) -> PartOfImages | None:
    """`inside[i]` was said by half i, so half 1-i is measured on it."""
    if not all(inside_N.any() for inside_N in inside):
        return None
    families = [family for family in FAMILIES if family in halves[0].mean]
    weights = {family: {family: 1.0} for family in families}
    accuracy = {family: _interval(inside, halves, w) for family, w in weights.items()}
    both = len(families) == len(FAMILIES)
    gap = _interval(inside, halves, {"convolutional": 1.0, "recurrent": -1.0}) if both else None
    return PartOfImages(name, (int(inside[0].sum()), int(inside[1].sum())), accuracy, gap)


def _interval(inside: list[np.ndarray], halves: list[_Half], weights: dict[str, float]) -> Interval:
    """Mean of both directions; images by the linearised variance of the ratio, seeds by that of the runs."""
    images = len(inside[0])
    estimate, spread_N, seeds = 0.0, np.zeros(images), []
    for judged, half in ((inside[0], halves[1]), (inside[1], halves[0])):
        value_N = np.sum([weight * half.mean[family] for family, weight in weights.items()], axis=0)
        mean = float(value_N[judged].mean())
        estimate += mean / 2
        spread_N += np.where(judged, value_N - mean, 0.0) * images / judged.sum() / 2
    found = [(float(spread_N.var(ddof=1)) / images, max(1, round(np.mean([i.sum() for i in inside])) - 1))]
    for family in weights:
        rates = [
            (network, half, float(correct_N[judged].mean()))
            for half, (judged, side) in enumerate(((inside[0], halves[1]), (inside[1], halves[0])))
            for network, correct_N in side.runs[family]
        ]
        seeds.append(len(rates) // len({network for network, _, _ in rates}))
        found.append(_of_seeds(rates))
    covers = all(freedom > 0 for _, freedom in found[1:])
    kept = [part for part in found if part[1] > 0 and part[0] > 0]
    total = sum(variance for variance, _ in kept)
    half_width = 0.0
    if total > 0:
        freedom = total**2 / sum(variance**2 / df for variance, df in kept)
        half_width = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(total)
    inner = round(float(np.mean([i.sum() for i in inside])))
    low, high = estimate - half_width, estimate + half_width
    if len(weights) == 1:
        low, high = share(estimate, half_width, inner)
    elif half_width == 0:  # no mistake, or nothing but mistakes
        low, high = bonett_price(np.full(inner, estimate))
    return Interval(estimate, max(-1.0, low), min(1.0, high), inner, min(seeds), covers)


def _of_seeds(rates: list[tuple[int, int, float]]) -> tuple[float, int]:
    """Variance of the family's mean over other seeds of its networks, and its degrees of freedom.

    Runs are compared within their network and direction; the two parts of the images need not be equally hard.
    """
    cells: dict[tuple[int, int], list[float]] = {}
    for network, half, rate in rates:
        cells.setdefault((network, half), []).append(rate)
    freedom = sum(len(cell) - 1 for cell in cells.values())
    if not freedom:
        return 0.0, 0
    within = (
        sum((len(cell) - 1) * float(np.var(cell, ddof=1)) for cell in cells.values() if len(cell) > 1) / freedom
    )
    return within * sum(1 / len(cell) for cell in cells.values()) / len(cells) ** 2, freedom
