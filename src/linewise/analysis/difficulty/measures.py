"""How hard each image is, by several measures. Each is larger for harder images, and an array `N`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.analysis.depth.measures import reading_depth
from linewise.analysis.evidence import Evidence, NetworkEvidence
from linewise.foundations.folder import Run

MEASURES = {
    "wrong": "share of runs that are wrong",
    "learned": "epochs until learned",
    "forgotten": "times forgotten",
    "depth": "reading depth",
}
"""What each measure is called, in the order of tables."""


@dataclass(frozen=True)
class Witness:
    """One run's measures of every image of a split.

    Attributes:
        family: of its network.
        half: 0 or 1: whether its seed has an even or odd place among the study's; runs of the two halves share no
            seed.
        measures: by name, those that this run has.
    """

    family: str
    half: int
    measures: dict[str, np.ndarray]


def jurors(evidence: Evidence, split: str) -> list[NetworkEvidence]:
    """Networks that judge which images are hard: controls are made to be weak and have no vote, unless alone."""
    answering = [n for n in evidence.networks if n.answers(split) and n.spec.name != "majority"]
    return [n for n in answering if n.family != "control"] or answering


def witnesses(evidence: Evidence, split: str) -> list[Witness]:
    """Every run's measures on a split: learning is told of validation images, depth by causal readers only."""
    half_by_seed = {seed: place % 2 for place, seed in enumerate(evidence.spec.seeds)}
    found = []
    for network in jurors(evidence, split):
        for run, answers in zip(network.answered(split), network.answers(split), strict=True):
            measures = {"wrong": (~answers.correct_N).astype(np.float64)}
            measures |= _of_learning(run, len(answers.labels_N)) if split == "validation" else {}
            if steps := run.steps(split):
                measures["depth"] = reading_depth(steps) / steps.num_steps
            found.append(Witness(network.family, half_by_seed[run.seed], measures))
    return found


def epochs_until_learned(correct_EN: np.ndarray) -> np.ndarray:
    """The epoch, from 1, from which each image stays right to the end; E+1 where it is wrong at the end.

    >>> epochs_until_learned(np.array([[1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 0, 1]], dtype=bool))
    array([1, 2, 4, 3])
    """
    epochs = len(correct_EN)
    wrong_from_end_EN = ~correct_EN[::-1]
    last_wrong_N = np.where(wrong_from_end_EN.any(axis=0), epochs - wrong_from_end_EN.argmax(axis=0), 0)
    return last_wrong_N + 1


def times_forgotten(correct_EN: np.ndarray) -> np.ndarray:
    """How often an image that was right after one epoch was wrong after the next (Toneva et al. 2019).

    They count at every presentation of a training image; here it is once an epoch, on images held out.

    >>> times_forgotten(np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 0, 1], [0, 1, 0, 1]], dtype=bool))
    array([2, 0, 0, 1])
    """
    return (correct_EN[:-1] & ~correct_EN[1:]).sum(axis=0)


def over_families(found: list[Witness], measure: str) -> np.ndarray | None:
    """Mean of a measure over runs, then over families, which count the same; None where no run has it."""
    by_family: dict[str, list[np.ndarray]] = {}
    for witness in found:
        if measure in witness.measures:
            by_family.setdefault(witness.family, []).append(witness.measures[measure])
    return np.mean([np.mean(runs, axis=0) for runs in by_family.values()], axis=0) if by_family else None


def _of_learning(run: Run, images: int) -> dict[str, np.ndarray]:
    correct_EN = run.learning()
    if correct_EN is None or correct_EN.shape[1] != images:
        return {}
    return {
        "learned": epochs_until_learned(correct_EN).astype(np.float64),
        "forgotten": times_forgotten(correct_EN).astype(np.float64),
    }
