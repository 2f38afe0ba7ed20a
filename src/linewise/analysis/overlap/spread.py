"""How sure a figure over pairs of runs is: images and, by a jackknife, seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from linewise.analysis.intervals import CONFIDENCE, wilson


def half_width(
    image_part: tuple[float, int], left_out: Sequence[np.ndarray], confidence: float = CONFIDENCE
) -> float:
    """Half of an interval: Student's quantile (degrees of freedom by Satterthwaite 1946) times the standard error.

    Runs of different networks are independent, so each network adds the variance of a jackknife over its runs
    (Efron and Stein 1981): pairs that share a run are not independent, and leaving a run out takes all its pairs.

    Args:
        image_part: variance of the figure over images, and its degrees of freedom.
        left_out: for each network, the figure without each of its runs; empty to leave seeds out of it.
    """
    parts = [image_part] + [((len(f) - 1) * float(np.var(f)), len(f) - 1) for f in left_out if len(f) > 1]
    total = sum(variance for variance, _ in parts)
    if total <= 0:
        return 0.0
    freedom = total**2 / sum(variance**2 / max(1, df) for variance, df in parts)
    return float(stats.t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(total)


def share(estimate: float, half: float, images: int) -> tuple[float, float]:
    """Ends of the interval of a share: Wilson's, of as many images as would give it this half width.

    Without a width, of all images; as `intervals.accuracy` has it.
    """
    effective = float(images)
    if half > 0 and 0 < estimate < 1:
        effective = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) ** 2 * estimate * (1 - estimate) / half**2
    return wilson(estimate * effective, effective)
