"""A stopping rule whose loss of accuracy is bounded, and what it did; from answers after each step alone.

Learn then Test (Angelopoulos et al. 2021): thresholds are tried from strict to loose, each by an exact test of
"this loses more than the budget", until the first that is not refuted. The order is fixed before the answers are
seen, so no correction is needed: a threshold that loses too much passes with a probability of 1 - confidence at
most.

What is bounded is the share of images that full reading gets right and stopping gets wrong. Accuracy cannot fall
by more than that; that stopping also mends some answers is not counted on. Bounding the difference itself by
betting (Waudby-Smith and Ramdas 2024) was tried too; where few answers are mended it is no tighter
(benchmarks/LOG.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from linewise.analysis.depth.measures import mean
from linewise.analysis.intervals import bonett_price, wilson
from linewise.foundations.errors import DataError
from linewise.foundations.stopping import Answered, Between, StopPoint

LEAST_DOUBT, MOST_DOUBT, NUM_DOUBTS = 1e-7, 0.5, 400
POINTS = 60


@dataclass(frozen=True)
class Stopped:
    """What a threshold does on these images.

    Attributes:
        right_N: whether the answers are right, bool.
        read_N: steps read, from 1.
    """

    right_N: np.ndarray
    read_N: np.ndarray


@dataclass(frozen=True)
class Found:
    """The loosest threshold that keeps the promise.

    Attributes:
        doubt: None where there is none: all must be read.
        num_lost, num_won: images that stopping gets wrong, or right, other than full reading.
        bound: the share of images that may be lost at most, with the confidence asked for.
        read: mean share of the steps that is read.
    """

    doubt: float | None
    num_lost: int
    num_won: int
    bound: float
    read: float


def stop(answered: Answered, doubt: float | None) -> Stopped:
    """Stop at the first step whose doubt is not larger; read all where there is none."""
    sure_NT = answered.doubt_NT <= (-1.0 if doubt is None else doubt)
    sure_NT[:, -1] = True
    column_N = sure_NT.argmax(axis=1)
    right_N = answered.answers_NT[np.arange(len(column_N)), column_N] == answered.labels_N
    return Stopped(right_N, column_N + 1)


def thresholds() -> np.ndarray:
    """The doubts that are tried, from strict to loose; fixed, whatever the images."""
    return np.geomspace(LEAST_DOUBT, MOST_DOUBT, NUM_DOUBTS)


def find_threshold(answered: Answered, budget: float, confidence: float) -> Found:
    """The loosest threshold of which it is shown that it loses at most `budget`.

    Args:
        budget: as a fraction of the images.
        confidence: probability of no larger loss, over the choice of the images.

    Raises:
        DataError: so few images that even no loss at all would show nothing.
    """
    num_images = len(answered.labels_N)
    least = math.log1p(-confidence) / math.log1p(-budget)
    if num_images < least:
        raise DataError(
            f"{num_images:,} validation images cannot show that at most {100 * budget:g} points are lost",
            expected=f"at least {min(math.ceil(min(least, 1e15)), 10**15):,} at {100 * confidence:g} % confidence",
            mend="allow a larger --loss-budget, or train with more --validation images",
        )
    full_N, best = answered.full_N, Found(None, 0, 0, _upper(0, num_images, confidence), 1.0)
    for doubt in thresholds():
        stopped = stop(answered, float(doubt))
        lost = int((full_N & ~stopped.right_N).sum())
        if stats.binom.cdf(lost, num_images, budget) > 1 - confidence:
            break
        best = Found(
            doubt=float(doubt),
            num_lost=lost,
            num_won=int((~full_N & stopped.right_N).sum()),
            bound=_upper(lost, num_images, confidence),
            read=float(stopped.read_N.mean()) / answered.doubt_NT.shape[1],
        )
    return best


def _upper(count: int, num_images: int, confidence: float) -> float:
    """Clopper and Pearson's one-sided bound (1934): the largest share under which so few are not too unlikely."""
    return float(special.betaincinv(count + 1, num_images - count, confidence))


@dataclass(frozen=True)
class Judged:
    """What a rule did on images that had no part in finding it; fractions of 1, with 95 % intervals."""

    full: Between
    stopped: Between
    loss: Between
    read: Between
    computed: Between
    curve: list[StopPoint]


def judge(answered: Answered, doubt: float | None) -> Judged:
    """Accuracy with and without the rule, what was read, and what other thresholds would have done."""
    stopped, num_steps = stop(answered, doubt), answered.doubt_NT.shape[1]
    lost_N = answered.full_N.astype(np.float64) - stopped.right_N
    low, high = bonett_price(lost_N)
    computed_N = np.maximum(0, stopped.read_N - answered.blank_N)
    return Judged(
        full=_share(answered.full_N),
        stopped=_share(stopped.right_N),
        loss=Between(estimate=float(lost_N.mean()), low=low, high=high),
        read=_mean(stopped.read_N / num_steps),
        computed=_mean(computed_N / num_steps),
        curve=[_point(answered, float(d)) for d in thresholds()[:: NUM_DOUBTS // POINTS]],
    )


def _point(answered: Answered, doubt: float) -> StopPoint:
    stopped = stop(answered, doubt)
    read = float(stopped.read_N.mean()) / answered.doubt_NT.shape[1]
    return StopPoint(doubt=doubt, read=read, accuracy=float(stopped.right_N.mean()))


def _share(right_N: np.ndarray) -> Between:
    low, high = wilson(int(right_N.sum()), len(right_N))
    return Between(estimate=float(right_N.mean()), low=low, high=high)


def _mean(values_N: np.ndarray) -> Between:
    found = mean(values_N[None])
    return Between(estimate=found.estimate, low=max(0.0, found.low), high=min(1.0, found.high))
