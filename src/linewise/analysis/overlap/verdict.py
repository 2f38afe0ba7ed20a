"""Do recurrent and convolutional networks err on different images?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from linewise.analysis.beside import best
from linewise.analysis.evidence import Evidence
from linewise.analysis.intervals import Interval
from linewise.analysis.overlap.agreement import between_groups, jaccard, kappa, same_answers
from linewise.analysis.overlap.exchange import Exchange, exchange, gap_interval
from linewise.analysis.overlap.gathered import Gathered, hardest
from linewise.foundations.records import Family

Verdict = Literal["different", "no difference shown", "too few seeds", "no mistakes"]
Relation = Literal["same network", "same family", "recurrent × convolutional"]


@dataclass(frozen=True)
class Kind:
    """Pairs of runs of one kind; means over pairs, None where nothing is defined.

    Attributes:
        relation: two seeds of one network, two networks of one family, or one of each family.
        family: of both runs; empty for one of each.
        kappa: Cohen's κ of being right.
        equal: κ of the hardest images, as many for every run.
        equal_low, equal_high: its smallest and largest.
        jaccard: shared mistakes of all mistakes of the two.
        same_answers: of the shared mistakes, those with the same wrong class.
    """

    relation: Relation
    family: str
    num_pairs: int
    kappa: float | None
    equal: float
    equal_low: float
    equal_high: float
    jaccard: float | None
    same_answers: float | None


@dataclass(frozen=True)
class Overlap:
    """What mistakes have in common, and whether the family matters.

    Attributes:
        verdict: on the best network of each family, chosen by validation: whether their runs overlap less than two
            runs of either.
        sentence: that, with n and intervals.
        of_families: what can be said of whole families.
        recurrent, convolutional: labels of the two.
        num_hard: images that count as the mistakes of every run: as many as runs of the two networks get wrong on
            average. Equal numbers take the accuracy out of the comparison.
        networks: the test of the two networks, with runs as units; None with one run of each.
        gap: mean κ between seeds of each minus κ between the two networks, over seeds and images; None with fewer
            than two runs of either.
        families: the test of the families, with networks as units; None where a family has one network.
        kinds: mean overlap by kind of pair.
        labels: of every network compared, families together.
        equal_GG: mean κ of every two networks at equal numbers of mistakes; on the diagonal between seeds.
        equal_RR, pairs: κ of every two runs, and the pairs of each of `kinds` in it.
        network_R: position in `labels` of each run.
        num_images: n.
        split: the images behind all this.
    """

    verdict: Verdict
    sentence: str
    of_families: str
    recurrent: str
    convolutional: str
    num_hard: int
    networks: Exchange | None
    gap: Interval | None
    families: Exchange | None
    kinds: list[Kind]
    labels: list[str]
    equal_GG: np.ndarray
    equal_RR: np.ndarray
    pairs: list[tuple[np.ndarray, np.ndarray]]
    network_R: np.ndarray
    num_images: int
    split: str

    @property
    def floor(self) -> float | None:
        """The noise floor: κ of two seeds of one network, the smaller of the two networks'."""
        return float(np.fmin(*self.networks.within)) if self.networks else None


def overlap(evidence: Evidence) -> Overlap | None:
    """Compare the mistakes of every two runs of a study; None unless both families have answers, on
    two images or more."""
    reader, convolver = best(evidence.family("recurrent")), best(evidence.family("convolutional"))
    runs = Gathered.gather(evidence)
    if reader is None or convolver is None or runs is None:
        return None
    best_R = runs.of(reader.label) | runs.of(convolver.label)
    num_images = len(evidence.labels_N)
    if num_images < 2:
        return None
    num_hard = min(_num_hard(runs, best_R), num_images - 1)  # κ needs an image of either kind
    hard_RN = hardest(runs.margin_RN, max(1, num_hard))
    equal_RR = kappa(~hard_RN)
    equal_GG = between_groups(equal_RR, runs.network_R)
    first_R = runs.of(reader.label)[best_R]
    networks = exchange(equal_RR[np.ix_(best_R, best_R)], first_R)
    enough = min(first_R.sum(), (~first_R).sum()) >= 2
    families = _families(runs, equal_GG)
    gap = gap_interval(hard_RN[best_R], first_R) if enough else None
    verdict = _verdict(num_hard, networks, enough)
    pairs = _pairs(runs)
    return Overlap(
        verdict,
        _sentence(verdict, (reader.label, convolver.label), num_hard, networks, gap, evidence),
        _of_families(families),
        reader.label,
        convolver.label,
        num_hard,
        networks,
        gap,
        families,
        _kinds(runs, equal_RR, pairs),
        [network.label for network in runs.networks],
        equal_GG,
        equal_RR,
        list(pairs.values()),
        runs.network_R,
        len(evidence.labels_N),
        evidence.split,
    )


def _num_hard(runs: Gathered, best_R: np.ndarray) -> int:
    """Mistakes of a run of the two best networks, each network counting the same."""
    wrong_R = (~runs.correct_RN).sum(axis=1)[best_R]
    networks = runs.network_R[best_R]
    return round(float(np.mean([wrong_R[networks == i].mean() for i in np.unique(networks)])))


def _families(runs: Gathered, equal_GG: np.ndarray) -> Exchange | None:
    """Networks as units: runs of one network are no independent witnesses for its family."""
    families = np.array([network.family for network in runs.networks])
    chosen = np.isin(families, ("recurrent", "convolutional"))
    if min((families == "recurrent").sum(), (families == "convolutional").sum()) < 2:
        return None
    return exchange(equal_GG[np.ix_(chosen, chosen)], families[chosen] == "recurrent")


def _pairs(runs: Gathered) -> dict[tuple[Relation, str], tuple[np.ndarray, np.ndarray]]:
    """Positions of the pairs of runs of each kind."""
    first, second = np.triu_indices(len(runs.network_R), k=1)
    family_R, network_R = runs.families_R, runs.network_R
    same = network_R[first] == network_R[second]
    found: dict[tuple[Relation, str], tuple[np.ndarray, np.ndarray]] = {}
    families: tuple[Family, ...] = ("recurrent", "convolutional")
    relations: tuple[tuple[Relation, np.ndarray], ...] = (("same network", same), ("same family", ~same))
    for relation, related in relations:
        for family in families:
            chosen = related & (family_R[first] == family) & (family_R[second] == family)
            found[relation, family] = first[chosen], second[chosen]
    mixed = np.isin(family_R[first], families) & np.isin(family_R[second], families)
    mixed &= family_R[first] != family_R[second]
    found["recurrent × convolutional", ""] = first[mixed], second[mixed]
    return {kind: pairs for kind, pairs in found.items() if len(pairs[0])}


def _kinds(
    runs: Gathered, equal_RR: np.ndarray, pairs: dict[tuple[Relation, str], tuple[np.ndarray, np.ndarray]]
) -> list[Kind]:
    raw_RR, jaccard_RR = kappa(runs.correct_RN), jaccard(runs.correct_RN)
    same_RR = same_answers(runs.predicted_RN, runs.labels_N)
    kinds = []
    for (relation, family), place in pairs.items():
        equal = equal_RR[place]
        raw, shared, same = (_mean(matrix[place]) for matrix in (raw_RR, jaccard_RR, same_RR))
        span = float(equal.min()), float(equal.max())
        kinds.append(Kind(relation, family, len(equal), raw, float(equal.mean()), *span, shared, same))
    return kinds


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _verdict(num_hard: int, networks: Exchange | None, enough: bool) -> Verdict:
    if num_hard == 0:
        return "no mistakes"
    if networks is None or not enough or not networks.decidable:
        return "too few seeds"
    return "different" if networks.significant else "no difference shown"


def _sentence(
    verdict: Verdict,
    labels: tuple[str, str],
    num_hard: int,
    networks: Exchange | None,
    gap: Interval | None,
    evidence: Evidence,
) -> str:
    first, second = labels
    images = f"{len(evidence.labels_N):,} {evidence.split} images"
    if verdict == "no mistakes":
        return f"{first} and {second} make hardly a mistake on {images}: there is nothing to compare."
    if networks is None or gap is None:
        return f"{first} and {second} need two runs each before their mistakes on {images} can be compared."
    within = " and ".join(f"{w:.2f}" for w in networks.within)
    numbers = (
        f"between seeds of each κ is {within}, between the two {networks.between:.2f}, {_lower(gap)}; "
        f"the {num_hard:,} hardest of {images} for each run; "
        f"{networks.sizes[0]} and {networks.sizes[1]} seeds)"
    )
    if verdict == "too few seeds":
        return (
            f"With so few seeds no test could show that {first} and {second} err on different images: {numbers}. "
            "Four seeds of each are enough for one."
        )
    if verdict == "different":
        told = f"{first} and {second} err on different images, beyond what another seed changes"
        return f"{told}: {numbers}; {_p(networks)}."
    return (
        f"That {first} and {second} err on different images, beyond what another seed changes, was not shown: "
        f"{numbers}; {_p(networks)}."
    )


def _lower(gap: Interval) -> str:
    if gap.estimate >= 0:
        return f"lower by {gap.estimate:.2f} on average (95 % interval {gap.low:.2f} to {gap.high:.2f}"
    return f"higher by {-gap.estimate:.2f} on average (95 % interval {-gap.high:.2f} to {-gap.low:.2f}"


def _p(test: Exchange) -> str:
    return f"permutation test, one-sided, p = {test.p:.2g}, where {test.least_p:.2g} is the least possible"


def _of_families(test: Exchange | None) -> str:
    """What the networks of the families say as a whole."""
    if test is None:
        return "Where a family has one network, nothing can be said of families as such."
    first, second = test.within
    numbers = (
        f"κ is {first:.2f} between two recurrent networks, {second:.2f} between two convolutional ones and "
        f"{test.between:.2f} between one of each ({test.sizes[0]} and {test.sizes[1]} networks"
    )
    if not test.decidable:
        return f"Of whole families no test could show a difference with so few networks: {numbers})."
    shown = "Whole families differ" if test.significant else "That whole families differ was not shown"
    return f"{shown}: {numbers}; {_p(test)})."
