"""Whether two groups overlap less between them than within: a permutation test, and how large the gap is.

Units (runs of two networks, or networks of two families) are exchanged between the groups. Under the hypothesis
that the group means nothing, every way of dividing the units is as likely as the one seen.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from linewise.analysis.intervals import CONFIDENCE, Interval
from linewise.analysis.overlap.agreement import kappa, kappa_of
from linewise.analysis.overlap.spread import half_width

ALL_ARRANGEMENTS, DRAWS, BLOCKS = 20_000, 20_000, 200
ALPHA = 1 - CONFIDENCE
WIDEST = 2.0
"""Half width of an interval that says nothing: κ lies between -1 and 1, so two differ by 2 at most."""


@dataclass(frozen=True)
class Exchange:
    """The outcome of a test.

    Attributes:
        within: mean overlap of two units of the first group, and of the second; NaN for a group of one.
        between: mean overlap of one unit of each.
        below_floor: the smaller of `within` minus `between`, the statistic of the test.
        p: share of all arrangements in which it is at least as large; one-sided.
        least_p: the smallest p that this number of units can give.
        sizes: units of each group.
        num_arrangements: ways of dividing the units, or how many of them were drawn.
    """

    within: tuple[float, float]
    between: float
    below_floor: float
    p: float
    least_p: float
    sizes: tuple[int, int]
    num_arrangements: int

    @property
    def decidable(self) -> bool:
        """Whether there are enough units for p to reach 0.05."""
        return self.least_p <= ALPHA + 1e-12

    @property
    def significant(self) -> bool:
        return self.decidable and self.p <= ALPHA + 1e-12


def exchange(overlap_UU: np.ndarray, first_U: np.ndarray) -> Exchange | None:
    """Test whether the groups overlap less between than within.

    The statistic takes the *smaller* overlap within, so that a group which is merely noisier than the other does
    not pass for different from it. All arrangements are tried up to 20,000; beyond, as many are drawn, and the one
    seen is counted among them (Phipson and Smyth 2010).

    Args:
        overlap_UU: symmetric; the diagonal plays no part.
        first_U: bool, the units of the first group.

    Returns:
        None where a group is empty, neither has two units, or an overlap that counts is not defined.
    """
    units, first = len(first_U), int(first_U.sum())
    if not 0 < first < units or units < 3:
        return None
    seen = _means(overlap_UU, first_U[None].astype(np.float64))
    number = math.comb(units, first)
    if number <= ALL_ARRANGEMENTS:
        chosen = np.array(list(itertools.combinations(range(units), first)))
        least = (2 if 2 * first == units else 1) / number
        extra = 0
    else:
        number = DRAWS
        chosen = np.argsort(np.random.default_rng(0).random((number, units)), axis=1)[:, :first]
        least, extra = 1 / (number + 1), 1
    first_AU = np.zeros((len(chosen), units))
    np.put_along_axis(first_AU, chosen, 1.0, axis=1)
    below = float(_below_floor(*seen)[0])
    if not math.isfinite(below):
        return None  # an overlap that is not defined, as between runs that are wrong everywhere
    as_large = int((_below_floor(*_means(overlap_UU, first_AU)) >= below - 1e-9).sum())
    p = (as_large + extra) / (number + extra)
    within = float(seen[0][0]), float(seen[1][0])
    return Exchange(within, float(seen[2][0]), below, p, least, (first, units - first), number)


def gap_interval(hard_RN: np.ndarray, first_R: np.ndarray) -> Interval:
    """Mean κ within minus κ between, with an interval over seeds and images, both by jackknives: κ is no mean.

    Images are left out in up to 200 random blocks of the same size, runs one at a time. With fewer than three runs
    in a group it speaks of other images only.

    Args:
        hard_RN: bool, the mistakes of each run, as many for every run.
        first_R: bool, the runs of the first group; at least two in each.
    """
    images = hard_RN.shape[1]
    whole_RR = kappa(~hard_RN)
    estimate = _gap(whole_RR, first_R)
    over_images = np.array([_gap(k, first_R) for k in _without_each_block(hard_RN)])
    part = (len(over_images) - 1) * float(np.var(over_images)), len(over_images) - 1
    groups = [np.flatnonzero(first_R), np.flatnonzero(~first_R)]
    covers = min(map(len, groups)) >= 3
    left_out = [
        np.array([_gap(*_without(whole_RR, first_R, int(run))) for run in group])
        for group in (groups if covers else [])
    ]
    half = half_width(part, left_out)
    if not math.isfinite(half):  # one block held every mistake of two runs: nothing is known of other images
        half = WIDEST
    return Interval(estimate, estimate - half, estimate + half, images, min(map(len, groups)), covers)


def _without_each_block(hard_RN: np.ndarray) -> list[np.ndarray]:
    """κ of every two runs without each block of images."""
    images = hard_RN.shape[1]
    mixed_RN = hard_RN[:, np.random.default_rng(0).permutation(images)].astype(np.float32)
    together_RR, wrong_R = mixed_RN @ mixed_RN.T, mixed_RN.sum(axis=1)
    found = []
    for out_RB in np.array_split(mixed_RN, min(images, BLOCKS), axis=1):
        kept = images - out_RB.shape[1]
        left_RR = (together_RR - out_RB @ out_RB.T).astype(np.float64) / kept
        found.append(kappa_of(left_RR, (wrong_R - out_RB.sum(axis=1)).astype(np.float64) / kept))
    return found


def _without(overlap_RR: np.ndarray, first_R: np.ndarray, run: int) -> tuple[np.ndarray, np.ndarray]:
    kept = np.arange(len(first_R)) != run
    return overlap_RR[np.ix_(kept, kept)], first_R[kept]


def _gap(overlap_RR: np.ndarray, first_R: np.ndarray) -> float:
    within_first, within_second, between = _means(overlap_RR, first_R[None].astype(np.float64))
    return float((within_first[0] + within_second[0]) / 2 - between[0])


def _below_floor(within_first: np.ndarray, within_second: np.ndarray, between: np.ndarray) -> np.ndarray:
    return np.fmin(within_first, within_second) - between


def _means(overlap_UU: np.ndarray, first_AU: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean overlap within the first group, within the second and between them, for each arrangement."""
    off_UU = np.where(np.eye(len(overlap_UU), dtype=bool), 0.0, overlap_UU)
    second_AU = 1 - first_AU
    num_first, num_second = first_AU.sum(axis=1), second_AU.sum(axis=1)
    to_first_AU = first_AU @ off_UU
    with np.errstate(invalid="ignore"):  # a group of one has no overlap within
        within_first = (to_first_AU * first_AU).sum(axis=1) / (num_first * (num_first - 1))
        within_second = ((second_AU @ off_UU) * second_AU).sum(axis=1) / (num_second * (num_second - 1))
    between = (to_first_AU * second_AU).sum(axis=1) / (num_first * num_second)
    return within_first, within_second, between
