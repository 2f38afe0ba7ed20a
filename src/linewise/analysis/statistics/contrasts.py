"""How much an accuracy, or a difference of accuracies, would vary with other images and with other seeds.

The model is the two-way random-effects layout: a run's answer on an image is a mean, plus an effect of the image,
plus an effect of the seed, plus a rest. Mean squares of the analysis of variance give the variance of each
(Scheffé, The Analysis of Variance, 1959, chapter 7).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

LEAST_P = 1e-100
TAIL_95 = 0.025


@dataclass(frozen=True)
class Moments:
    """What the answers of one network say of its variances.

    Attributes:
        mean_N: share of the seeds that are right, per image.
        num_seeds: S.
        seeds: variance of the run accuracies, divided by S; 0 for one seed.
        rest: the part of `seeds` that is there because each run was measured on N images only; 0 for one seed.
    """

    mean_N: np.ndarray
    num_seeds: int
    seeds: float
    rest: float

    @classmethod
    def of(cls, correct_SN: np.ndarray) -> Moments:
        """Mean squares of the seeds and of the rest, both divided by S × N."""
        correct_SN = np.asarray(correct_SN, dtype=np.float64)
        seeds, images = correct_SN.shape
        mean_N, mean_S = correct_SN.mean(axis=0), correct_SN.mean(axis=1)
        if seeds == 1:
            return cls(mean_N, 1, 0.0, 0.0)
        of_seeds = float(mean_S.var(ddof=1)) / seeds
        if images == 1:
            return cls(mean_N, seeds, of_seeds, 0.0)
        square = float(np.einsum("sn,sn->", correct_SN, correct_SN)) / correct_SN.size
        left = square - float(mean_S.mean()) ** 2 - float(mean_N.var()) - float(mean_S.var())
        return cls(mean_N, seeds, of_seeds, max(0.0, left) / ((seeds - 1) * (images - 1)))


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of the accuracies of networks on the same images, and its variance by source.

    Attributes:
        estimate: the sum.
        per_image_N: the same for each image.
        images, seeds: variance of the estimate over images and over seeds; both contain `rest`.
        rest: variance of the estimate by what is peculiar to a seed and an image together.
        freedom: degrees of freedom of `seeds`, combined over the networks after Satterthwaite (1946).
        covers_seeds: whether every network has at least two seeds; where not, `seeds` and `rest` are 0.
    """

    estimate: float
    per_image_N: np.ndarray
    images: float
    seeds: float
    rest: float
    freedom: float
    covers_seeds: bool

    def half_width(self, confidence: float) -> float:
        """Half the width of an interval of this confidence."""
        return math.sqrt(self._square((1 - confidence) / 2))

    def p_value(self) -> float:
        """One minus the confidence of the interval that just reaches zero; at least 1e-100.

        Where nothing varies, or no more than the rest explains, there is no such interval; an image is added for
        each side (Bonett and Price 2012).
        """

        def beyond(log_p: float) -> float:
            return self._square(math.exp(log_p) / 2) - self.estimate**2

        if self.estimate == 0:
            return 1.0
        if self.half_width(1 - 2 * TAIL_95) == 0:
            padded = np.concatenate([self.per_image_N, [1.0, -1.0]])
            z = abs(float(padded.mean())) / math.sqrt(float(padded.var()) / len(padded))
            return max(LEAST_P, 2 * float(special.ndtr(-z)))
        if beyond(math.log(LEAST_P)) <= 0:
            return LEAST_P
        return math.exp(float(optimize.brentq(beyond, math.log(LEAST_P), 0.0)))  # type: ignore[arg-type]

    def _square(self, tail: float) -> float:
        freedom = max(1, len(self.per_image_N) - 1)
        seeds, of_seeds = np.array(self.seeds), np.array(self.freedom)
        return float(square(tail, self.images, freedom, seeds, of_seeds, self.rest))


def square(
    tail: float, images: float, images_freedom: float, seeds: np.ndarray, seeds_freedom: np.ndarray, rest: float
) -> np.ndarray:
    """Half the width of an interval, squared; `seeds` and their freedom may be arrays.

    Images and seeds have Student's quantile each, of their own degrees of freedom, and the squares are added
    (Banerjee 1960): that keeps its promise however the two variances relate. One quantile for their sum
    (Welch–Satterthwaite) does not, where three seeds bring more variance than the images.

    Both variances contain the rest, because each run is measured on N images only. Analysis of variance subtracts
    it from the seeds, without bias. With few seeds that leaves nothing of their variance too often, so:

    - where the rest is all that images bring, as between copies of one network, a third of it is not subtracted;
      where it is half, a twelfth;
    - beyond 95 %, the subtracted share falls as the squared quantile of images over that of seeds.

    What is not subtracted counts with the seeds instead of the images. Both were set by simulation
    (`benchmarks/simulation_variants.py` compares): with all subtracted, panels of five networks raised up to 9
    false alarms in 100; with nothing subtracted, intervals of differences held the truth up to 99 times in 100.

    Args:
        tail: probability beyond each end.
    """

    def squared(freedom: np.ndarray | float, tail: float) -> np.ndarray:
        return special.stdtrit(freedom, tail) ** 2

    of_images, of_seeds = squared(images_freedom, tail), squared(seeds_freedom, tail)
    share = np.asarray(1 - min(1.0, rest / images) ** 2 / 3 if images > 0 else 1.0)
    if tail < TAIL_95:
        ratio = of_images / of_seeds * squared(seeds_freedom, TAIL_95) / squared(images_freedom, TAIL_95)
        share = share * np.minimum(1.0, ratio)
    left = np.maximum(0.0, seeds - share * rest)
    moved = np.minimum(np.minimum(images, left), (1 - share) * rest)
    return of_images * (images - moved) + of_seeds * left


def contrast(networks: Sequence[Moments], weights: Sequence[float]) -> Contrast:
    """Add up the accuracies of networks that were examined on the same images."""
    pairs = list(zip(weights, networks, strict=True))
    per_image_N = np.sum([w * network.mean_N for w, network in pairs], axis=0)
    estimate, covered = float(per_image_N.mean()), all(network.num_seeds > 1 for network in networks)
    images = float(per_image_N.var(ddof=1)) / len(per_image_N) if len(per_image_N) > 1 else 0.0
    if not covered:
        return Contrast(estimate, per_image_N, images, 0.0, 0.0, 1.0, False)
    seeds_K = np.array([w * w * network.seeds for w, network in pairs])
    rest = sum(w * w * network.rest for w, network in pairs)
    freedom = satterthwaite(seeds_K, np.array([network.num_seeds - 1 for network in networks]))
    return Contrast(estimate, per_image_N, images, float(seeds_K.sum()), rest, float(freedom), True)


def satterthwaite(variance_K: np.ndarray, freedom_K: np.ndarray) -> np.ndarray:
    """Degrees of freedom of a sum of variances, along the last axis."""
    below = (variance_K**2 / freedom_K).sum(axis=-1)
    return np.where(below > 0, variance_K.sum(axis=-1) ** 2 / np.where(below > 0, below, 1.0), freedom_K.sum())
