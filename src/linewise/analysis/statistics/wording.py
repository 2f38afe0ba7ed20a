"""Comparisons in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linewise.analysis.intervals import Interval

if TYPE_CHECKING:
    from linewise.analysis.statistics.paired import Paired


def tell(found: Paired) -> str:
    """One or two sentences: who is better, by how much, with interval, p-value and n."""
    gap = found.difference
    if found.p_holm is None:
        return f"Too few seeds to compare {found.first} with {found.second}: {found.reason}. {_runs(found)}"
    if found.verdict == "no difference shown":
        seen = (
            f"A difference of {100 * found.smallest_visible:.2f} points would have been found four times in five."
            if found.smallest_visible is not None
            else "Nothing varies between these runs, so what else would have been found is not known."
            if found.bootstrap.low == found.bootstrap.high
            else "This study could not have shown any difference."
        )
        return (
            f"No difference between {found.first} and {found.second} was shown: {signed(found)}, "
            f"{_tested(found, found.p_holm)}. {seen}"
        )
    better, worse = (found.first, found.second) if gap.estimate > 0 else (found.second, found.first)
    low, high = sorted((abs(gap.low), abs(gap.high)))
    return (
        f"{better} is better than {worse} by {100 * abs(gap.estimate):.2f} points "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f}), {_tested(found, found.p_holm)}."
    )


def signed(found: Paired) -> str:
    """`+0.05 points for lstm (95 % interval -0.14 to +0.23)`."""
    gap: Interval = found.difference
    interval = f"95 % interval {100 * gap.low:+.2f} to {100 * gap.high:+.2f}"
    return f"{100 * gap.estimate:+.2f} points for {found.first} ({interval})"


def chance(p: float) -> str:
    """`p = 0.012` or `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _tested(found: Paired, p: float) -> str:
    seeds, images = found.difference.num_seeds, found.difference.num_images
    corrected = f" after correction for {found.num_pairs} pairs" if found.num_pairs > 1 else ""
    return f"{chance(p)}{corrected}, {seeds} seeds, {images:,} images"


def _runs(found: Paired) -> str:
    """What one seed can say: something of the runs themselves."""
    tests, images = found.mcnemar, f"{found.difference.num_images:,} images"
    if tests.num_pairs == 1:
        told = f"{signed(found)}, {chance(tests.p_SS[0][0])} by McNemar's exact test, {images}"
        return f"Of these two runs alone: {told}."
    told = f"McNemar's exact test tells {tests.num_rejected} of {tests.num_pairs} pairs of runs apart, {images}"
    return f"Of these runs alone: {signed(found)}; {told}."
