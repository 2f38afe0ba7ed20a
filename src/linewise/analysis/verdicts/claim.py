"""A claim, and what this study says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["supported", "not supported", "not decided"]


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        id: for other programs.
        statement: the claim in plain words.
        verdict: `not supported` where the study shows the contrary or that the claim's bar is missed;
            `not decided` where its intervals allow both.
        sentence: why, with n and interval.
        chart: anchor of the section of the page with the chart behind it.
        numbers: plain data.
    """

    id: str
    statement: str
    verdict: Verdict
    sentence: str
    chart: str
    numbers: dict[str, Any] = field(default_factory=dict)


def by_interval(low: float, high: float, bar: float) -> Verdict:
    """Supported where the whole interval is above the bar, not supported where the whole is below."""
    if low > bar:
        return "supported"
    return "not supported" if high < bar else "not decided"
