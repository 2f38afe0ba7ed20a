"""The claim that certain pairs of classes are the hard ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.analysis.evidence import Evidence
from linewise.analysis.verdicts.claim import Claim, Verdict

STUDY_PAIRS = (("5", "3"), ("4", "9"))
"""Said to be the hard pairs of handwritten digits by the study that this project examines."""
REPLICATES, SHOWN = 2_000, 5
SURE = 0.95


@dataclass(frozen=True)
class HardPair:
    """Two classes taken for one another.

    Attributes:
        first, second: class indices, the smaller first.
        rate: of all answers on images of the two classes, the share that names the other; families weigh the same.
        rank: 1 for the most confused pair.
    """

    first: int
    second: int
    rate: float
    rank: int


def hard_pairs(evidence: Evidence, split: str) -> list[HardPair]:
    """All pairs of classes, the most confused first; empty without answers of either family."""
    found = _shares(evidence, split)
    if found is None:
        return []
    labels_N, shares_NK = found
    rates_P, pairs = _rates(labels_N, shares_NK, np.ones((1, len(labels_N))))
    order = np.argsort(-rates_P[0], kind="stable")
    return [
        HardPair(first=pairs[p][0], second=pairs[p][1], rate=float(rates_P[0, p]), rank=rank + 1)
        for rank, p in enumerate(order)
    ]


def hard(evidence: Evidence) -> Claim | None:
    """Whether the named pairs are the most confused: those of the digits study where its classes are here, else
    the two worst on validation images, tested on test images.

    How sure it is comes from a bootstrap over images: the share of resampled test sets in which the named pairs
    take the first places. Only the best runs' seeds at hand are covered.
    """
    found = _shares(evidence, evidence.split)
    if found is None:
        return None
    names = evidence.spec.data.shown_names
    named = _named(evidence, names)
    if not named:
        return None
    labels_N, shares_NK = found
    rates_P, pairs = _rates(labels_N, shares_NK, np.ones((1, len(labels_N))))
    if not rates_P.max():
        return None
    drawn = np.random.default_rng(0).multinomial(
        len(labels_N), np.full(len(labels_N), 1 / len(labels_N)), REPLICATES
    )
    drawn_RP, _ = _rates(labels_N, shares_NK, drawn.astype(np.float64))
    inside = np.isin(np.arange(len(pairs)), [pairs.index(pair) for pair in named])
    share = float((drawn_RP[:, inside].min(axis=1) > drawn_RP[:, ~inside].max(axis=1, initial=-1)).mean())
    verdict: Verdict = "supported" if share >= SURE else "not supported" if share <= 1 - SURE else "not decided"
    order = [int(p) for p in np.argsort(-rates_P[0], kind="stable")]
    worst = ", ".join(
        f"{_pair(names, pairs[p])} {100 * rates_P[0, p]:.2f} %" for p in order[:SHOWN] if rates_P[0, p]
    )
    ranks = ", ".join(f"{_pair(names, pair)} is number {order.index(pairs.index(pair)) + 1}" for pair in named)
    told = " and ".join(_pair(names, pair) for pair in named)
    many = len(named) > 1
    return Claim(
        id="hard-pairs",
        statement=f"The hard pair{'s are' if many else ' is'} {told}.",
        verdict=verdict,
        sentence=(
            f"Most confused are {worst} of the two classes' images ({len(labels_N):,} {evidence.split} images); "
            f"{ranks}; {'they take the first places' if many else 'it takes the first place'} in "
            f"{100 * share:.0f} % of {REPLICATES:,} resampled test sets."
        ),
        chart="pairs",
        numbers={
            "named": [[names[a], names[b]] for a, b in named],
            "share_first": share,
            "worst": [[names[pairs[p][0]], names[pairs[p][1]], float(rates_P[0, p])] for p in order[:SHOWN]],
        },
    )


def _named(evidence: Evidence, names: list[str]) -> list[tuple[int, int]]:
    digits = {name for pair in STUDY_PAIRS for name in pair}
    if digits <= set(names):
        return [tuple(sorted((names.index(a), names.index(b)))) for a, b in STUDY_PAIRS]  # type: ignore[misc]
    if evidence.split != "test":
        return []
    found = [p for p in hard_pairs(evidence, "validation")[: len(STUDY_PAIRS)] if p.rate > 0]
    return [(p.first, p.second) for p in found] if len(names) > 2 else []


def _pair(names: list[str], pair: tuple[int, int]) -> str:
    return f"{names[pair[0]]}–{names[pair[1]]}"


def _shares(evidence: Evidence, split: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Labels, and for each image the share of answers that name each class, `NK`; families weigh the same."""
    of_families = [
        [a for network in evidence.family(family) for a in network.answers(split)]
        for family in ("recurrent", "convolutional")
    ]
    shares = []
    for answers in filter(None, of_families):
        shares_NK = np.zeros(answers[0].probabilities_NK.shape)
        for a in answers:
            shares_NK[np.arange(len(a.predicted_N)), a.predicted_N] += 1 / len(answers)
        shares.append(shares_NK)
    if not shares:
        return None
    return next(filter(None, of_families))[0].labels_N, np.mean(shares, axis=0)


def _rates(
    labels_N: np.ndarray, shares_NK: np.ndarray, weights_RN: np.ndarray
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Confusion rate of every pair of classes for every weighting of the images, `RP`, and the pairs."""
    classes = shares_NK.shape[1]
    taken_RKK = np.stack([weights_RN[:, labels_N == k] @ shares_NK[labels_N == k] for k in range(classes)], axis=1)
    counts_RK = np.stack([weights_RN[:, labels_N == k].sum(axis=1) for k in range(classes)], axis=1)
    pairs = [(a, b) for a in range(classes) for b in range(a + 1, classes)]
    first, second = np.array(pairs, dtype=int).reshape(-1, 2).T
    both_RP = taken_RKK[:, first, second] + taken_RKK[:, second, first]
    return both_RP / np.maximum(counts_RK[:, first] + counts_RK[:, second], 1), pairs
