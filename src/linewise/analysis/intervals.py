"""How sure an accuracy is: over images, and over seeds and images together.

All accuracies are fractions of 1; arrays `correct_SN` hold, for each of S seeds and each of N images, whether the
answer was right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from linewise.analysis.statistics.contrasts import Contrast, Moments, contrast

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval.

    Attributes:
        estimate, low, high: fractions of 1 (differences may be negative).
        num_images: N, the images behind it.
        num_seeds: S, the runs behind it; of several networks, the smallest of their numbers.
        covers_seeds: whether the interval speaks of other seeds too; with one seed it cannot.
    """

    estimate: float
    low: float
    high: float
    num_images: int
    num_seeds: int
    covers_seeds: bool

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0 or self.high < 0


def describe(interval: Interval) -> str:
    """`98.76 % (98.50 to 99.02)`."""
    return f"{interval.estimate * 100:.2f} % ({interval.low * 100:.2f} to {interval.high * 100:.2f})"


def wilson(right: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927).

    Args:
        right: successes, from 0 to n.
        n: trials, more than 0; not whole where it stands for an effective number.

    >>> low, high = wilson(98, 100)
    >>> round(low, 4), round(high, 4)
    (0.93, 0.9945)
    """
    z = float(special.ndtri((1 + confidence) / 2))
    share, z2n = right / n, z * z / n
    middle = (share + z2n / 2) / (1 + z2n)
    half = z / (1 + z2n) * math.sqrt(share * (1 - share) / n + z2n / (4 * n))
    return (0.0 if right == 0 else middle - half), (1.0 if right == n else middle + half)


def clopper_pearson(right: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact interval of a share: never below its confidence, so wider than Wilson's (Clopper and Pearson 1934).

    >>> low, high = clopper_pearson(98, 100)
    >>> round(low, 4), round(high, 4)
    (0.9296, 0.9976)
    """
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(right, n - right + 1, tail)) if right > 0 else 0.0
    high = float(special.betaincinv(right + 1, n - right, 1 - tail)) if right < n else 1.0
    return low, high


def accuracy(correct_SN: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Mean accuracy of a network over seeds and images.

    With several seeds, Wilson's interval with as many images as would give the interval of `contrast` its width
    (an effective number, as surveys use it: Franco et al. 2019), so that it stays within 0 and 1 and leans the
    right way near them. One seed gets Wilson's interval, which speaks of that one run only.

    Args:
        correct_SN: bool or numbers, at least one seed and one image.
    """
    return family([correct_SN], confidence)


def family(networks: Sequence[np.ndarray], confidence: float = CONFIDENCE) -> Interval:
    """Mean accuracy of several networks, each counting the same, over seeds and images.

    It speaks of other seeds of these networks on other images, not of other networks of the family.

    Args:
        networks: `correct_SN` of each, on the same images.
    """
    moments = [Moments.of(correct_SN) for correct_SN in networks]
    found = contrast(moments, [1 / len(moments)] * len(moments))
    images, seeds = len(found.per_image_N), min(network.num_seeds for network in moments)
    half, effective = found.half_width(confidence), float(images)
    if half > 0 and (len(moments) > 1 or seeds > 1):
        z = float(special.ndtri((1 + confidence) / 2))
        effective = z * z * found.estimate * (1 - found.estimate) / half**2
    low, high = wilson(found.estimate * effective, effective, confidence)
    return Interval(found.estimate, low, high, images, seeds, found.covers_seeds)


def difference(first_SN: np.ndarray, second_SN: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Accuracy of the first minus the second network, paired by image.

    Seeds of two networks are independent of each other, so each adds its variance; images are shared, so the
    variance is that of the per-image difference. With one seed on either side, or where nothing varies, only
    images are covered, by the interval of Bonett and Price (2012): it keeps its word when few images differ.

    Args:
        first_SN, second_SN: correctness on the same images; the numbers of seeds may differ.
    """
    return family_difference([first_SN], [second_SN], confidence)


def family_difference(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], confidence: float = CONFIDENCE
) -> Interval:
    """Mean accuracy of the first networks minus that of the second ones, paired by image."""
    moments = [Moments.of(correct_SN) for correct_SN in (*first, *second)]
    found = contrast(moments, [1 / len(first)] * len(first) + [-1 / len(second)] * len(second))
    return interval_of_difference(found, min(network.num_seeds for network in moments), confidence)


def interval_of_difference(found: Contrast, num_seeds: int, confidence: float = CONFIDENCE) -> Interval:
    """The interval of a contrast whose weights add up to zero."""
    half = found.half_width(confidence)
    low, high = found.estimate - half, found.estimate + half
    if half == 0 or not found.covers_seeds:
        low, high = bonett_price(found.per_image_N, confidence)
    low, high = max(-1.0, low), min(1.0, high)
    return Interval(found.estimate, low, high, len(found.per_image_N), num_seeds, found.covers_seeds)


def bonett_price(per_image_N: np.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of a mean paired difference: one image is added for each side (Bonett and Price 2012).

    The plain interval has no width where no image differs, and calls four images to none a difference.

    Args:
        per_image_N: differences of correctness, from -1 to 1.
    """
    padded = np.concatenate([per_image_N, [1.0, -1.0]])
    half = float(special.ndtri((1 + confidence) / 2)) * math.sqrt(float(padded.var()) / len(padded))
    return float(padded.mean()) - half, float(padded.mean()) + half
