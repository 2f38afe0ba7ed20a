"""Two networks compared on the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from linewise.analysis.intervals import CONFIDENCE, Interval, interval_of_difference
from linewise.analysis.statistics.bootstrap import REPLICATES, resample
from linewise.analysis.statistics.contrasts import Moments, contrast
from linewise.analysis.statistics.exact import holm, least_p, mcnemar, permutation
from linewise.analysis.statistics.power import LEVEL, Components
from linewise.analysis.statistics.wording import tell

Verdict = Literal["first better", "second better", "no difference shown", "too few seeds"]


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test between every run of one network and every run of the other.

    Attributes:
        p_SS: p-values, runs of the first × runs of the second.
        num_rejected: of them, how many stay below 5 % after Holm's correction for their number.
        num_pairs: how many there are.
    """

    p_SS: tuple[tuple[float, ...], ...]
    num_rejected: int
    num_pairs: int


@dataclass(frozen=True)
class Paired:
    """What a study says of the difference of two networks.

    The primary test is that of `p`: it belongs to the interval of `difference`, and it alone speaks of other
    images and other seeds. The others look at one of the two, or have no model, and stand beside it.

    Attributes:
        first, second: labels.
        difference: accuracy of the first minus the second, with the interval of `intervals.difference`.
        p: two-sided, of the primary test; None with one seed on either side.
        reason: why there is no p.
        p_holm: p after Holm's correction over `num_pairs` pairs; p itself where there is one pair.
        num_pairs: how many pairs of networks were tested.
        bootstrap: the same difference with the 95 % interval of percentiles of the two-way bootstrap.
        mcnemar: each run against each run; speaks of these runs on other images.
        permutation_p: exact, over the seeds, on these very images; None where these numbers of seeds could not
            give a p-value below 5 %.
        permutation_reason: why there is none.
        smallest_visible: the difference that would have been found four times in five, with Holm's correction at
            its strictest; None with one seed, or where no difference at all would have been found.
    """

    first: str
    second: str
    difference: Interval
    p: float | None
    reason: str
    p_holm: float | None
    num_pairs: int
    bootstrap: Interval
    mcnemar: McNemar
    permutation_p: float | None
    permutation_reason: str
    smallest_visible: float | None

    @property
    def verdict(self) -> Verdict:
        """By the corrected p-value."""
        if self.p_holm is None:
            return "too few seeds"
        if self.p_holm >= LEVEL:
            return "no difference shown"
        return "first better" if self.difference.estimate > 0 else "second better"

    @property
    def text(self) -> str:
        """The verdict in words, with n and interval."""
        return tell(self)


def paired(
    first_SN: np.ndarray,
    second_SN: np.ndarray,
    rng: np.random.Generator | None = None,
    replicates: int = REPLICATES,
    labels: tuple[str, str] = ("first", "second"),
) -> Paired:
    """Compare two networks.

    Args:
        first_SN, second_SN: whether each run was right on each image; the same images, the numbers of seeds may
            differ.
        rng: for the bootstrap; the same numbers every time where not given.
        replicates: of the bootstrap.
    """
    means_RK = resample([first_SN, second_SN], rng or np.random.default_rng(0), replicates)
    return compare((first_SN, second_SN), means_RK, labels)


def compare(
    correct: tuple[np.ndarray, np.ndarray], means_R2: np.ndarray, labels: tuple[str, str], num_pairs: int = 1
) -> Paired:
    """`paired`, with bootstrap means at hand; `p_holm` is still p.

    Args:
        correct: `correct_SN` of both networks.
        means_R2: replicates of their accuracies by `resample`.
        num_pairs: pairs that share the level of 5 %.
    """
    first, second = (Moments.of(correct_SN) for correct_SN in correct)
    found, components = contrast((first, second), (1, -1)), Components.of(first, second)
    difference = interval_of_difference(found, min(first.num_seeds, second.num_seeds))
    p = found.p_value() if components else None
    permutation_p, permutation_reason = _permutation(correct)
    return Paired(
        *labels,
        difference=difference,
        p=p,
        reason="" if components else _one_seed(first.num_seeds, second.num_seeds),
        p_holm=p,
        num_pairs=num_pairs,
        bootstrap=_bootstrap(means_R2[:, 0] - means_R2[:, 1], difference),
        mcnemar=_mcnemar(correct),
        permutation_p=permutation_p,
        permutation_reason=permutation_reason,
        smallest_visible=components.smallest(num_pairs=num_pairs) if components else None,
    )


def _one_seed(*num_seeds: int) -> str:
    which = "both networks have" if max(num_seeds) == 1 else "one of the networks has"
    return f"{which} one seed, so how much seeds matter is not known"


def _permutation(correct: Sequence[np.ndarray]) -> tuple[float | None, str]:
    num_first, num_second = (len(correct_SN) for correct_SN in correct)
    least = least_p(num_first, num_second)
    if least >= LEVEL:
        return None, f"with {num_first} and {num_second} seeds the smallest p-value possible is {least:.2g}"
    return permutation(*(np.asarray(correct_SN).sum(axis=1) for correct_SN in correct)), ""


def _mcnemar(correct: tuple[np.ndarray, np.ndarray]) -> McNemar:
    p_SS = mcnemar(*correct)
    corrected = holm(p_SS.ravel().tolist())
    rejected = sum(p is not None and p < LEVEL for p in corrected)
    return McNemar(tuple(map(tuple, p_SS.tolist())), rejected, p_SS.size)


def _bootstrap(difference_R: np.ndarray, found: Interval) -> Interval:
    low, high = np.quantile(difference_R, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(found.estimate, float(low), float(high), found.num_images, found.num_seeds, found.covers_seeds)
