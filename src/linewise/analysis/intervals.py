"""How sure an accuracy is: over images, and over seeds and images together.

All accuracies are fractions of 1; arrays `correct_SN` hold, for each of S seeds and each of N images, whether the
answer was right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval.

    Attributes:
        estimate, low, high: fractions of 1 (differences may be negative).
        num_images: N, the images behind it.
        num_seeds: S, the runs behind it; of a difference, the smaller of the two.
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


def wilson(right: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson 1927).

    Args:
        right: successes, from 0 to n.
        n: trials, at least 1.

    >>> low, high = wilson(98, 100)
    >>> round(low, 4), round(high, 4)
    (0.93, 0.9945)
    """
    z = float(stats.norm.ppf((1 + confidence) / 2))
    share, z2n = right / n, z * z / n
    middle = (share + z2n / 2) / (1 + z2n)
    half = z / (1 + z2n) * math.sqrt(share * (1 - share) / n + z2n / (4 * n))
    return (0.0 if right == 0 else middle - half), (1.0 if right == n else middle + half)


def accuracy(correct_SN: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Mean accuracy of a network over seeds and images.

    The variance is that of images (of the seed-averaged correctness, over N) plus that of seeds (of the run
    accuracies, over S); Student's quantile has Welch–Satterthwaite degrees of freedom. One seed gets Wilson's
    interval, which speaks of that one run only.

    Args:
        correct_SN: bool or numbers, at least one seed and one image.
    """
    correct_SN = np.asarray(correct_SN, dtype=np.float64)
    seeds, images = correct_SN.shape
    estimate = float(correct_SN.mean())
    low, high = wilson(round(estimate * images), images, confidence)
    if seeds > 1:
        half = _half_width(_parts(correct_SN.mean(axis=0), [correct_SN.mean(axis=1)]), confidence)
        if half > 0:
            low, high = max(0.0, estimate - half), min(1.0, estimate + half)
    return Interval(estimate, low, high, images, seeds, seeds > 1)


def difference(first_SN: np.ndarray, second_SN: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """Accuracy of the first minus the second network, paired by image.

    Seeds of two networks are independent of each other, so each adds its variance; images are shared, so the
    variance is that of the per-image difference. With one seed on either side, or where nothing varies, only
    images are covered, by the interval of Bonett and Price (2012): it keeps its word when few images differ.

    Args:
        first_SN, second_SN: correctness on the same images; the numbers of seeds may differ.
    """
    first_SN, second_SN = (np.asarray(a, dtype=np.float64) for a in (first_SN, second_SN))
    per_image_N = first_SN.mean(axis=0) - second_SN.mean(axis=0)
    both = len(first_SN) > 1 and len(second_SN) > 1
    estimate, half = float(per_image_N.mean()), 0.0
    low = high = estimate
    if both:
        runs = [first_SN.mean(axis=1), second_SN.mean(axis=1)]
        half = _half_width(_parts(per_image_N, runs), confidence)
        low, high = estimate - half, estimate + half
    if half == 0:
        low, high = bonett_price(per_image_N, confidence)
    seeds = min(len(first_SN), len(second_SN))
    return Interval(estimate, max(-1.0, low), min(1.0, high), len(per_image_N), seeds, both)


def bonett_price(per_image_N: np.ndarray, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval of a mean paired difference: one image is added for each side (Bonett and Price 2012).

    The plain interval has no width where no image differs, and calls four images to none a difference.

    Args:
        per_image_N: differences of correctness, from -1 to 1.
    """
    padded = np.concatenate([per_image_N, [1.0, -1.0]])
    half = float(stats.norm.ppf((1 + confidence) / 2)) * math.sqrt(float(padded.var()) / len(padded))
    return float(padded.mean()) - half, float(padded.mean()) + half


def _parts(per_image_N: np.ndarray, runs: list[np.ndarray]) -> list[tuple[float, int]]:
    """Variance of the mean and its degrees of freedom, for images and for each set of seeds."""
    samples = [per_image_N, *runs]
    return [(float(np.var(s, ddof=1)) / len(s), len(s) - 1) for s in samples if len(s) > 1]


def _half_width(parts: list[tuple[float, int]], confidence: float) -> float:
    """Student's quantile times the standard error (Satterthwaite 1946)."""
    total = sum(variance for variance, _ in parts)
    if total == 0:
        return 0.0
    freedom = total**2 / sum(variance**2 / df for variance, df in parts)
    return float(stats.t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(total)
