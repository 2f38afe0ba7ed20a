"""Simulated studies whose truth is known.

A run is right on an image where level + image + seed + noise > 0. The image's part spreads 2.5 times as wide as
the noise. Networks of different kinds share it up to a correlation of 0.8, copies of one network share it
whole; seeds bring from 0 to 5.6 % of the spread of the sum, for copies 2 %. With these figures runs agree as
those in `docs/results` do (correlation of correctness 0.5 to 0.7 within a network, about 0.4 between networks),
and the most restless network varies between seeds as the LSTM on MNIST does. The sum is normal, so accuracies
and variances over *all* images and seeds have closed forms: those are the truth, not the accuracy of the runs
at hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special

from linewise.analysis.statistics.power import Components

IMAGES_SPREAD = 2.5
SEEDS_SPREADS = (0.0, 0.01, 0.02, 0.03, 0.056)
MIDDLE = 2  # the network that a worse one is planted beside
PLACES = range(len(SEEDS_SPREADS))


@dataclass(frozen=True)
class Network:
    """Population accuracy, the share of seeds in the spread of the sum, that of images held in common."""

    accuracy: float
    seeds_spread: float
    shared: float

    @cached_property
    def variance(self) -> float:
        return (1 + IMAGES_SPREAD**2) / (1 - self.seeds_spread**2)

    def agreement(self, other: Network, shared: float) -> float:
        """Covariance of the correctness of two runs whose sums have this covariance (Sheppard 1899)."""
        r = shared / np.sqrt(self.variance * other.variance)
        nodes, weights = np.polynomial.legendre.leggauss(40)
        h, k = special.ndtri(self.accuracy), special.ndtri(other.accuracy)
        angle = np.arcsin(r) * (nodes + 1) / 2
        density = np.exp(-(h * h + k * k - 2 * h * k * np.sin(angle)) / (2 * np.cos(angle) ** 2)) / (2 * np.pi)
        return float((weights * density).sum() * np.arcsin(r) / 2)

    def correct(self, rng: np.random.Generator, seeds: int, shared_N: np.ndarray) -> np.ndarray:
        """`SN`: whether each of new seeds is right on images with these shared parts."""
        own_N = rng.standard_normal(len(shared_N), dtype=np.float32)
        image_N = IMAGES_SPREAD * (np.sqrt(self.shared) * shared_N + np.sqrt(1 - self.shared) * own_N)
        of_seed_S = self.seeds_spread * np.sqrt(self.variance) * rng.standard_normal(seeds)
        level_S = special.ndtri(self.accuracy) * np.sqrt(self.variance) + of_seed_S
        noise_SN = rng.standard_normal((seeds, len(shared_N)), dtype=np.float32)
        return noise_SN + image_N.astype(np.float32) > -level_S[:, None].astype(np.float32)


def components(first: Network, second: Network, seeds: int, images: int) -> Components:
    """The true variances of a difference."""
    between = IMAGES_SPREAD**2
    of_images = [n.agreement(n, between) for n in (first, second)]
    of_seeds = [n.agreement(n, n.seeds_spread**2 * n.variance) for n in (first, second)]
    rest = [
        n.accuracy * (1 - n.accuracy) - i - s for n, i, s in zip((first, second), of_images, of_seeds, strict=True)
    ]
    of_both = sum(of_images) - 2 * first.agreement(second, np.sqrt(first.shared * second.shared) * between)
    return Components(of_both, tuple(of_seeds), tuple(rest), (seeds, seeds), images)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Setting:
    """What a study looks like."""

    accuracy: float
    seeds: int
    images: int
    copies: bool = False

    @property
    def networks(self) -> list[Network]:
        if self.copies:
            return [Network(self.accuracy, SEEDS_SPREADS[MIDDLE], 1.0) for _ in PLACES]
        return [Network(self.accuracy, spread, 0.8) for spread in SEEDS_SPREADS]

    def planted(self, num_pairs: int) -> tuple[Network, float] | None:
        """A worse network whose difference should be found 80 times in 100, and the power stated for it."""
        reference, gap = self.networks[MIDDLE], 0.0
        for _ in range(30):  # the variances depend on the difference, and the difference on them
            worse = replace(reference, accuracy=self.accuracy - gap)
            found = components(reference, worse, self.seeds, self.images).smallest(num_pairs=num_pairs)
            if found is None or found > 0.2:
                return None
            gap = (gap + found) / 2 if gap else found
        worse = replace(reference, accuracy=self.accuracy - gap)
        return worse, components(reference, worse, self.seeds, self.images).power(gap, num_pairs)
