"""How deep an answer lies in the reading of each image, and the mean of that over runs and images."""

from __future__ import annotations

import numpy as np

from linewise.analysis.intervals import CONFIDENCE, Interval
from linewise.analysis.statistics.contrasts import Moments, contrast
from linewise.foundations.arrays import Steps


def reading_depth(steps: Steps) -> np.ndarray:
    """After how many steps each answer stays as it is, from 1 to T, `N`.

    Of a longer reading only some steps are kept; then it is the first of these.
    """
    other_NT = steps.answers_NT != steps.answers_NT[:, -1:]
    last_other_N = np.where(other_NT.any(axis=1), other_NT.shape[1] - other_NT[:, ::-1].argmax(axis=1), 0)
    return steps.kept_T[last_other_N]


def inked_depth(steps: Steps) -> np.ndarray:
    """The same, counted from the first step that is not blank; 0 where the answer was there before it, `N`."""
    return np.maximum(0, reading_depth(steps) - steps.first_ink_N + 1)


def inked_share(steps: Steps) -> np.ndarray:
    """`inked_depth` as a share of the steps from the first to the last that is not blank, `N`.

    More than 1 where the answer still changes over the blank rest.
    """
    return inked_depth(steps) / (steps.last_ink_N - steps.first_ink_N + 1)


def mean(values_SN: np.ndarray, of_SN: np.ndarray | None = None, confidence: float = CONFIDENCE) -> Interval:
    """Mean over seeds and images with the interval of `intervals.accuracy`, for values of any unit.

    With one seed the interval speaks of that run only.

    Args:
        values_SN: a value for each seed and image.
        of_SN: bool, which of them count; None for all. Their number varies by chance too: the interval is that of
            a ratio, linearised (Cochran, Sampling Techniques, 1977, chapter 6).

    Raises:
        ValueError: none counts.
    """
    values_SN = np.asarray(values_SN, dtype=np.float64)
    counted_SN = np.ones(values_SN.shape, dtype=bool) if of_SN is None else of_SN
    if not counted_SN.any():
        raise ValueError("a mean of nothing")
    estimate = float(values_SN[counted_SN].mean())
    moved_SN = np.where(counted_SN, values_SN - estimate, 0.0) / counted_SN.mean()
    half = contrast([Moments.of(moved_SN)], [1.0]).half_width(confidence)
    images, seeds = int(counted_SN.any(axis=0).sum()), len(values_SN)
    return Interval(estimate, estimate - half, estimate + half, images, seeds, seeds > 1)
