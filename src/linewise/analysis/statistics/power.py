"""What a study could have seen, and what it would take to see more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import optimize, special

from linewise.analysis.statistics.contrasts import Moments, contrast, satterthwaite, square

LEVEL = 0.05
POWER = 0.8
MOST_SEEDS = 10_000
MOST_IMAGES = 10**9
QUANTILES = (np.arange(24) + 0.5) / 24


@dataclass(frozen=True)
class Components:
    """Variances behind the difference of two networks, as observed; none is below 0.

    Attributes:
        images: of the difference between images.
        seeds: of run accuracies between seeds, for each network.
        rest: of what is peculiar to a seed and an image together, for each network.
        num_seeds: of each network.
        num_images: N.
    """

    images: float
    seeds: tuple[float, float]
    rest: tuple[float, float]
    num_seeds: tuple[int, int]
    num_images: int

    @classmethod
    def of(cls, first: Moments, second: Moments) -> Components | None:
        """By the method of moments; None with one seed on either side, which says nothing of seeds."""
        both, images = (first, second), len(first.mean_N)
        if min(network.num_seeds for network in both) == 1:
            return None
        found = contrast(both, (1, -1))
        seeds = [network.num_seeds * max(0.0, network.seeds - network.rest) for network in both]
        rest = [network.num_seeds * images * network.rest for network in both]
        return cls(
            images * max(0.0, found.images - found.rest),
            (seeds[0], seeds[1]),
            (rest[0], rest[1]),
            (first.num_seeds, second.num_seeds),
            images,
        )

    @property
    def nothing_varies(self) -> bool:
        """Whether all runs gave the same answers apart: then a difference on other images cannot be foreseen."""
        return self.images == 0 and not any(self.seeds) and not any(self.rest)

    def power(self, difference: float, num_pairs: int = 1) -> float:
        """How often the test of `paired` would find a difference.

        Args:
            difference: between the accuracies of the networks, not of this study's runs.
            num_pairs: pairs that share the level of 5 % (Bonferroni; Holm's correction finds at least as many).
        """
        half_Q, spread = self._reach(num_pairs)
        return _found(difference, half_Q, spread)

    def smallest(self, power: float = POWER, num_pairs: int = 1) -> float | None:
        """The difference that is found with this power; None where not even a difference of 1 is, or where
        nothing varies."""
        if self.nothing_varies:
            return None
        half_Q, spread = self._reach(num_pairs)

        def missing(difference: float) -> float:
            return _found(difference, half_Q, spread) - power

        return float(optimize.brentq(missing, 0.0, 1.0)) if missing(1.0) > 0 else None  # type: ignore[arg-type]

    def _reach(self, num_pairs: int) -> tuple[np.ndarray, float]:
        """How far from zero the estimate must be, for what the seeds may look like, and how far it spreads.

        The test knows the variance of few seeds badly: what it sees is χ² with S − 1 degrees of freedom for each
        network. All pairs of 24 quantiles of both stand for that.
        """
        counts, images = np.array(self.num_seeds), self.num_images
        rest = float((np.array(self.rest) / counts).sum()) / images
        seeds_2 = (np.array(self.seeds) + np.array(self.rest) / images) / counts
        of_images = self.images / images + rest
        seen_2Q = seeds_2[:, None] * 2 * special.gammaincinv((counts - 1)[:, None] / 2, QUANTILES)
        seen_2Q /= (counts - 1)[:, None]
        seen_Q2 = np.stack(np.meshgrid(*seen_2Q), axis=-1).reshape(-1, 2)
        freedom_Q = satterthwaite(seen_Q2, counts - 1)
        tail = LEVEL / 2 / num_pairs
        square_Q = square(tail, of_images, max(1, images - 1), seen_Q2.sum(axis=1), freedom_Q, rest)
        return np.sqrt(square_Q), float(np.sqrt(of_images + seeds_2.sum() - rest))


@dataclass(frozen=True)
class Needed:
    """What would show a difference.

    Attributes:
        seeds: of each network, on as many images as now; None where seeds alone cannot do it.
        images: with as many seeds as now; None where images alone cannot do it.
        reason: why a number is missing; empty where both are there.
    """

    seeds: int | None
    images: int | None
    reason: str = ""


ONE_SEED = "with one seed it is not known how much seeds matter"
NOTHING_VARIES = "nothing varies between these runs, so it is not known how much others would"


def smallest_visible(
    first_SN: np.ndarray, second_SN: np.ndarray, power: float = POWER, num_pairs: int = 1
) -> float | None:
    """The smallest difference that a study like this one finds with this power, as a fraction of 1.

    The variances are this study's own, so with three seeds the figure is a rough one.

    Returns:
        None with one seed on either side, where nothing varies, and where no difference could have been seen.
    """
    found = Components.of(Moments.of(first_SN), Moments.of(second_SN))
    return found.smallest(power, num_pairs) if found else None


def needed(
    first_SN: np.ndarray, second_SN: np.ndarray, difference: float, power: float = POWER, num_pairs: int = 1
) -> Needed:
    """How many seeds, or else how many images, find this difference with this power.

    Args:
        difference: of the accuracies, as a fraction of 1; its sign does not matter.
    """
    found = Components.of(Moments.of(first_SN), Moments.of(second_SN))
    if found is None:
        return Needed(None, None, ONE_SEED)
    if found.nothing_varies:
        return Needed(None, None, NOTHING_VARIES)
    difference, reasons = abs(difference), []

    def enough(**changed: Any) -> bool:
        return replace(found, **changed).power(difference, num_pairs) >= power

    seeds = _least(lambda n: enough(num_seeds=(n, n)), 2, MOST_SEEDS)
    images = _least(lambda n: enough(num_images=n), 2, MOST_IMAGES)
    if seeds is None:
        reasons.append(f"on {found.num_images:,} images no number of seeds is enough")
    if images is None:
        counts = " and ".join(str(n) for n in sorted(set(found.num_seeds)))
        reasons.append(f"with {counts} seeds no number of images is enough")
    return Needed(seeds, images, "; ".join(reasons))


def _least(enough: Callable[[int], bool], low: int, most: int) -> int | None:
    """The smallest number that is enough, by doubling and halving; None where the largest is not."""
    if not enough(most):
        return None
    high = low
    while not enough(high):
        low, high = high, min(most, 2 * high)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def _found(difference: float, half_Q: np.ndarray, spread: float) -> float:
    """Chance of an estimate beyond either end."""
    if spread == 0:
        return float((abs(difference) > half_Q).mean())
    beyond = special.ndtr((difference - half_Q) / spread) + special.ndtr((-difference - half_Q) / spread)
    return float(beyond.mean())
