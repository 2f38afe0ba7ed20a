"""The readers of a study: how deep they read, and where in the reading they confuse two classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.analysis.depth.measures import inked_depth, inked_share, mean, reading_depth
from linewise.analysis.depth.turns import PairTurns, confused_pairs, pair_turns
from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.analysis.intervals import Interval, accuracy
from linewise.foundations.arrays import Predictions, Steps

MOST_POINTS, MOST_PAIRS = 64, 6


@dataclass(frozen=True)
class Point:
    """What a reader knows after some steps.

    Attributes:
        step: how many it has read.
        accuracy: of the answers at that moment.
        settled: share of the answers that do not change any more.
    """

    step: int
    accuracy: Interval
    settled: float


@dataclass(frozen=True)
class Reader:
    """One network that answers after each step, over its seeds.

    Attributes:
        num_steps: T.
        depth: steps after which an answer does not change any more, mean over seeds and images.
        inked: the same counted from the first step that is not blank.
        share: the same as a share of the steps from the first to the last that is not blank.
        right, wrong: `depth` of right and of wrong answers; None where there are none.
        classes: `depth` by true class; None for a class without images.
        curve: what it knows after each step, at most 64 of them.
        depth_SN: of each seed and image, for galleries and distributions.
        runs: answers of each seed, and those after each step.
    """

    label: str
    num_steps: int
    depth: Interval
    inked: Interval
    share: Interval
    right: Interval | None
    wrong: Interval | None
    classes: list[Interval | None]
    curve: list[Point]
    depth_SN: np.ndarray
    runs: list[tuple[Predictions, Steps]]

    @property
    def kept_T(self) -> np.ndarray:
        return self.runs[0][1].kept_T


@dataclass(frozen=True)
class Depth:
    """All readers of a study.

    Attributes:
        split: which images.
        readers: in the order of the study.
        main: the one of them with the best validation accuracy; `pairs` are its.
        pairs: the pairs of classes that `main` confuses most, and where in the reading.
        share_N: mean share of the reading that was needed, over runs, then over readers.
        read_along: share of the loss that was taken after the steps.
    """

    split: str
    readers: list[Reader]
    main: Reader
    pairs: list[PairTurns]
    share_N: np.ndarray
    read_along: float


def depth(evidence: Evidence) -> Depth | None:
    """Reading depth on the study's images; None where no network answers after each step."""
    found = [(n, reader) for n in evidence.networks if (reader := _reader(evidence, n)) is not None]
    if not found:
        return None
    _, main = max(found, key=lambda pair: _validated(pair[0]))
    pairs = confused_pairs([answers for answers, _ in main.runs], MOST_PAIRS)
    readers = [reader for _, reader in found]
    return Depth(
        split=evidence.split,
        readers=readers,
        main=main,
        pairs=[pair_turns(main.runs, first, second) for first, second in pairs],
        share_N=np.mean([reader.depth_SN.mean(axis=0) / reader.num_steps for reader in readers], axis=0),
        read_along=evidence.spec.recipe.read_along,
    )


def _reader(evidence: Evidence, network: NetworkEvidence) -> Reader | None:
    split = evidence.split
    pairs = zip(network.answered(split), network.answers(split), strict=True)
    runs = [(answers, steps) for run, answers in pairs if (steps := run.steps(split)) is not None]
    runs = [pair for pair in runs if np.array_equal(pair[1].kept_T, runs[0][1].kept_T)]
    if not runs:
        return None
    depth_SN = np.stack([reading_depth(steps) for _, steps in runs])
    right_SN, labels_N = np.stack([answers.correct_N for answers, _ in runs]), runs[0][0].labels_N
    classes = range(len(evidence.spec.data.class_names))
    return Reader(
        label=network.label,
        num_steps=runs[0][1].num_steps,
        depth=mean(depth_SN),
        inked=mean(np.stack([inked_depth(steps) for _, steps in runs])),
        share=mean(np.stack([inked_share(steps) for _, steps in runs])),
        right=mean(depth_SN, right_SN) if right_SN.any() else None,
        wrong=mean(depth_SN, ~right_SN) if not right_SN.all() else None,
        classes=[mean(depth_SN[:, labels_N == k]) if (labels_N == k).any() else None for k in classes],
        curve=_curve(runs, depth_SN),
        depth_SN=depth_SN,
        runs=runs,
    )


def _curve(runs: list[tuple[Predictions, Steps]], depth_SN: np.ndarray) -> list[Point]:
    kept_T = runs[0][1].kept_T
    columns = np.unique(np.linspace(0, len(kept_T) - 1, min(MOST_POINTS, len(kept_T))).round().astype(np.int64))
    points = []
    for column in columns.tolist():
        step = int(kept_T[column])
        right_SN = np.stack([steps.answers_NT[:, column] == answers.labels_N for answers, steps in runs])
        points.append(Point(step, accuracy(right_SN), float((depth_SN <= step).mean())))
    return points


def _validated(network: NetworkEvidence) -> float:
    """Mean validation accuracy, which chooses what is shown without a look at the test."""
    found = [a for run in network.finished if (a := run.record.validation_accuracy) is not None]
    return float(np.mean(found)) if found else 0.0
