"""Which images stand beside which statement, and what is written under each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from linewise.analysis import Summary
from linewise.analysis.confusion import Pair, confusion, worst_pairs
from linewise.analysis.difficulty import Difficulty
from linewise.analysis.difficulty.measures import jurors
from linewise.analysis.difficulty.verdict import Ranking
from linewise.analysis.evidence import Evidence
from linewise.analysis.mistakes import mistakes
from linewise.analysis.overlap.class_pairs import ClassPair
from linewise.report.pictures import Pictures

MOST_PAIRS, IMAGES_PER_PAIR, IMAGES_PER_LIST = 6, 7, 36
MOST_CLASSES, HARDEST, EASIEST = 20, 6, 3
SHORT = {"recurrent": "rec.", "convolutional": "conv."}


@dataclass(frozen=True)
class Shown:
    """One image in the page.

    Attributes:
        position: in the sheet, as CSS says it.
        true, answered: class names; `answered` is the wrong answer that is meant.
        votes: short lines under the picture: who gave it.
        told: every run's answer, for people who cannot see the picture and as its tooltip.
    """

    position: str
    true: str
    answered: str
    votes: list[str]
    told: str


@dataclass(frozen=True)
class PairShown:
    """A pair of classes with images behind it."""

    pair: Pair
    images: list[Shown]
    num_images: int


@dataclass(frozen=True)
class ListShown:
    """Images of one kind: how many there are, how many all runs get wrong, and some to see."""

    id: str
    title: str
    count: int
    num_by_all: int
    images: list[Shown]


def pairs_shown(summary: Summary, pictures: Pictures | None) -> dict[str, list[PairShown]]:
    """The most-confused pairs of each family, with images that most of its runs confuse."""
    evidence, found = summary.evidence, {}
    for family in ("recurrent", "convolutional"):
        answers = [a for network in evidence.family(family) for a in network.answers(evidence.split)]
        if answers:
            worst = worst_pairs(confusion(answers, len(evidence.spec.data.class_names)), MOST_PAIRS)
            found[family] = [_pair(evidence, pair, family, pictures) for pair in worst]
    return found


def lists_shown(summary: Summary, pictures: Pictures | None) -> list[ListShown] | None:
    """Images that one family or both get wrong; None where a family has no answers or nothing can be shown."""
    found = mistakes(summary.evidence)
    if found is None or pictures is None:
        return None
    titles = {
        "only_recurrent": "Only the recurrent networks get these wrong",
        "only_convolutional": "Only the convolutional networks get these wrong",
        "both": "Both families get these wrong",
    }
    by_all_N = (found.wrong_recurrent_N == 1) & (found.wrong_convolutional_N == 1)
    lists = []
    for name, title in titles.items():
        indices = getattr(found, name)
        places = [pictures.places[int(i)] for i in indices if int(i) in pictures.places][:IMAGES_PER_LIST]
        families = ["recurrent", "convolutional"] if name == "both" else [name.removeprefix("only_")]
        images = [_shown(summary.evidence, pictures, place, None, families) for place in places]
        lists.append(ListShown(name.replace("_", "-"), title, len(indices), int(by_all_N[indices].sum()), images))
    return lists


def class_pairs_shown(
    evidence: Evidence, pairs: list[ClassPair], pictures: Pictures | None
) -> list[tuple[ClassPair, list[Shown], int]]:
    """Images behind each pair and how many there are; those come first on which the families differ most."""
    return [(pair, *_behind(evidence, pair, pictures)) for pair in pairs]


def _behind(evidence: Evidence, pair: ClassPair, pictures: Pictures | None) -> tuple[list[Shown], int]:
    if pictures is None:
        return [], 0
    first_G = pictures.labels_G == pair.first
    inside_G = first_G | ((pictures.labels_G == pair.second) & (not pair.ordered))
    answer_G = np.where(first_G, pair.second, pair.first)
    given_GR = (pictures.answers_GR == answer_G[:, None]) & inside_G[:, None]
    shares = [given_GR[:, _of(evidence, pictures, family)].mean(axis=1) for family in SHORT]
    ahead_G = (shares[0] - shares[1]) * (1 if pair.difference.estimate > 0 else -1)
    confused_G = np.flatnonzero(shares[0] + shares[1] > 0)
    places = confused_G[np.argsort(-ahead_G[confused_G], kind="stable")][:IMAGES_PER_PAIR]
    images = [_shown(evidence, pictures, int(place), int(answer_G[place]), list(SHORT)) for place in places]
    return images, len(confused_G)


@dataclass(frozen=True)
class RankingShown:
    """The hardest and the easiest images of a class that the page has."""

    ranking: Ranking
    hardest: list[Shown]
    easiest: list[Shown]


def rankings_shown(summary: Summary, found: Difficulty, pictures: Pictures | None) -> list[RankingShown]:
    """By class, those classes first of which most images are hard; empty where nothing can be shown."""
    if pictures is None or found.split != "test":
        return []
    jury = {network.label for network in jurors(summary.evidence, found.split)}
    jury_R = np.array([run in jury for run in pictures.runs])
    order = sorted(found.rankings, key=lambda r: -r.num_hard / max(1, r.num_images))[:MOST_CLASSES]
    lists = [
        [_judged(summary.evidence, pictures, pictures.places[int(i)], jury_R, found.depth_N)
         for i in images if int(i) in pictures.places][:most]
        for ranking in order for images, most in ((ranking.hardest, HARDEST), (ranking.easiest, EASIEST))
    ]  # fmt: skip
    return [RankingShown(ranking, lists[2 * i], lists[2 * i + 1]) for i, ranking in enumerate(order)]


def _judged(
    evidence: Evidence, pictures: Pictures, place: int, jury_R: np.ndarray, depth_N: np.ndarray | None
) -> Shown:
    """One image with how many of the runs that judge are wrong, and how far it is read."""
    names, true = evidence.spec.data.shown_names, int(pictures.labels_G[place])
    answers_R = pictures.answers_GR[place, jury_R]
    wrong = Counter(int(k) for k in answers_R if k != true)
    votes = [f"{wrong.total()}/{len(answers_R)} wrong"]
    if depth_N is not None:
        votes.append(f"read {100 * depth_N[pictures.indices_G[place]]:.0f} %")
    answered = names[wrong.most_common(1)[0][0]] if wrong else names[true]
    return Shown(pictures.position(place), names[true], answered, votes, told(pictures, place, names))


def _pair(evidence: Evidence, pair: Pair, family: str, pictures: Pictures | None) -> PairShown:
    if pictures is None:
        return PairShown(pair, [], 0)
    votes_G = (pictures.answers_GR[:, _of(evidence, pictures, family)] == pair.predicted).sum(axis=1)
    votes_G = votes_G * (pictures.labels_G == pair.true)
    places = [int(place) for place in np.argsort(-votes_G, kind="stable")[:IMAGES_PER_PAIR] if votes_G[place]]
    images = [_shown(evidence, pictures, place, pair.predicted, [family]) for place in places]
    return PairShown(pair, images, int((votes_G > 0).sum()))


def _of(evidence: Evidence, pictures: Pictures, family: str) -> np.ndarray:
    """Which runs belong to a family, bool `R`."""
    labels = {network.label for network in evidence.networks if network.family == family}
    return np.array([run in labels for run in pictures.runs])


def _shown(evidence: Evidence, pictures: Pictures, place: int, answered: int | None, families: list[str]) -> Shown:
    """One image; `answered` is the class to speak of, None the wrong answer these families give most often."""
    names, true = evidence.spec.data.shown_names, int(pictures.labels_G[place])
    of_families_R = np.logical_or.reduce([_of(evidence, pictures, family) for family in families])
    usual = Counter(int(k) for k in pictures.answers_GR[place, of_families_R] if k != true).most_common(1)
    meant = answered if answered is not None else usual[0][0]
    votes = []
    for family, short in SHORT.items():
        answers_R = pictures.answers_GR[place, _of(evidence, pictures, family)]
        if len(answers_R) and (answered is None or family in families):
            given = answers_R != true if answered is None else answers_R == answered
            votes.append(f"{short} {int(given.sum())}/{len(answers_R)}")
    return Shown(pictures.position(place), names[true], names[meant], votes, told(pictures, place, names))


def told(pictures: Pictures, place: int, names: list[str]) -> str:
    """`test image 18, true class 3; answers: lstm 3 3 5; cnn 3 3 3`."""
    by_network: dict[str, list[str]] = {}
    for run, answer in zip(pictures.runs, pictures.answers_GR[place], strict=True):
        by_network.setdefault(run, []).append(names[int(answer)])
    answers = "; ".join(f"{run} {' '.join(found)}" for run, found in by_network.items())
    return (
        f"test image {pictures.indices_G[place]}, true class {names[pictures.labels_G[place]]}; answers: {answers}"
    )
