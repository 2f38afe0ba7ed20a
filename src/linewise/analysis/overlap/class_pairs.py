"""Which classes one family confuses more often than the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.analysis.evidence import Evidence
from linewise.analysis.intervals import CONFIDENCE, Interval, bonett_price, interval_of_difference
from linewise.analysis.overlap.gathered import Gathered
from linewise.analysis.statistics.contrasts import Moments, contrast
from linewise.analysis.statistics.exact import holm

LEAST_IMAGES = 8
"""Different images that runs confuse this way: with fewer, a pair is counted but not tested."""


@dataclass(frozen=True)
class ClassPair:
    """Confusions of two classes; rates are shares of the images of the classes they start from.

    Attributes:
        first, second: the true class and the answer; of an unordered pair, the smaller class first.
        ordered: whether only `first` taken for `second` is counted, or both ways.
        recurrent, convolutional: rate of each family, the mean over its networks of the mean over seeds.
        rate: their mean.
        difference: recurrent minus convolutional, over seeds and images.
        p: that there is no difference, two-sided; None where fewer than `LEAST_IMAGES` images are confused.
        p_holm: corrected for all pairs tested beside it (Holm 1979); None likewise.
        num_confused: images that some run of the two families confuses this way.
    """

    first: int
    second: int
    ordered: bool
    recurrent: float
    convolutional: float
    rate: float
    difference: Interval
    p: float | None
    p_holm: float | None
    num_confused: int

    @property
    def significant(self) -> bool:
        """After the correction."""
        return self.p_holm is not None and self.p_holm <= 1 - CONFIDENCE


@dataclass(frozen=True)
class ClassPairs:
    """All pairs of classes that any run confuses, the largest difference first, those tested before the others."""

    ordered: list[ClassPair]
    unordered: list[ClassPair]

    @property
    def num_tested(self) -> int:
        """Unordered pairs with enough images for a test."""
        return sum(pair.p is not None for pair in self.unordered)

    @property
    def hardest(self) -> list[ClassPair]:
        """Unordered pairs by how often they are confused, both families counting the same."""
        return sorted(self.unordered, key=lambda pair: -pair.rate)


def class_pairs(evidence: Evidence) -> ClassPairs | None:
    """Compare the families' confusions; None unless both have answers."""
    runs = Gathered.gather(evidence)
    return compare(runs) if runs else None


def compare(runs: Gathered) -> ClassPairs | None:
    """Compare the families; None where one has no runs."""
    sides = [_runs(runs, family) for family in ("recurrent", "convolutional")]
    if not all(sides):
        return None
    places = _confused([*sides[0], *sides[1]], runs.labels_N)
    ordered = [_pair(sides, runs.labels_N, a, b, ordered=True) for a, b in sorted(places)]
    both = sorted({(min(a, b), max(a, b)) for a, b in places})
    unordered = [_pair(sides, runs.labels_N, a, b, ordered=False) for a, b in both]
    return ClassPairs(_corrected(ordered), _corrected(unordered))


def _runs(runs: Gathered, family: str) -> list[np.ndarray]:
    """Answers of each network of a family, `SN`."""
    chosen = [i for i, network in enumerate(runs.networks) if network.family == family]
    return [runs.predicted_RN[runs.network_R == i] for i in chosen]


def _confused(networks: list[np.ndarray], labels_N: np.ndarray) -> set[tuple[int, int]]:
    """Every (true class, answer) that some run gives."""
    found: set[tuple[int, int]] = set()
    for predicted_SN in networks:
        run, image = np.nonzero(predicted_SN != labels_N)
        pairs = np.stack([labels_N[image], predicted_SN[run, image]], axis=1)
        found |= {(int(a), int(b)) for a, b in np.unique(pairs, axis=0)}
    return found


def _pair(
    sides: list[list[np.ndarray]], labels_N: np.ndarray, first: int, second: int, *, ordered: bool
) -> ClassPair:
    """One pair, not yet corrected for the others.

    With too few confused images for a test the interval is that of Bonett and Price (2012), for a handful has no
    normal distribution.
    """
    images_M = np.flatnonzero((labels_N == first) | ((labels_N == second) & (not ordered)))
    answer_M = np.where(labels_N[images_M] == first, second, first)
    hits = [[predicted_SN[:, images_M] == answer_M for predicted_SN in side] for side in sides]
    moments = [[Moments.of(hit_SM) for hit_SM in side] for side in hits]
    rates = [float(np.mean([network.mean_N.mean() for network in side])) for side in moments]
    weights = [sign / len(side) for sign, side in zip((1, -1), moments, strict=True) for _ in side]
    found = contrast([*moments[0], *moments[1]], weights)
    confused = int(np.any([hit_SM.any(axis=0) for side in hits for hit_SM in side], axis=0).sum())
    few = confused < LEAST_IMAGES
    gap = interval_of_difference(found, min(len(hit_SM) for side in hits for hit_SM in side))
    if few:
        low, high = bonett_price(found.per_image_N)
        gap = Interval(gap.estimate, max(-1.0, low), min(1.0, high), gap.num_images, gap.num_seeds, False)
    one_seed = min(len(hit_SM) for side in hits for hit_SM in side) < 2
    p = None if few or one_seed else found.p_value()
    rate = (rates[0] + rates[1]) / 2
    return ClassPair(first, second, ordered, rates[0], rates[1], rate, gap, p, None, confused)


def _corrected(pairs: list[ClassPair]) -> list[ClassPair]:
    """Corrected for all pairs tested; these first, the largest difference before the others."""
    corrected = holm([pair.p for pair in pairs])
    done = [ClassPair(**{**vars(pair), "p_holm": p}) for pair, p in zip(pairs, corrected, strict=True)]
    return sorted(done, key=lambda pair: (pair.p is None, -abs(pair.difference.estimate)))
