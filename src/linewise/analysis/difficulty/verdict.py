"""Which images are easy, and does every measure of difficulty say the same?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.analysis.difficulty.correlations import Correlations, correlations
from linewise.analysis.difficulty.measures import MEASURES, over_families, witnesses
from linewise.analysis.difficulty.parts import PartOfImages, parts
from linewise.analysis.difficulty.shares import Shares, shares
from linewise.analysis.evidence import Evidence
from linewise.analysis.overlap.gathered import Gathered


@dataclass(frozen=True)
class Ranking:
    """Images of one class, positions in the split's set.

    Attributes:
        hardest: those that some run gets wrong: most runs wrong first, families counting the same; among equals by
            the smallest mean margin.
        easiest: the largest mean margin first, among those that no run gets wrong.
        num_hard: images of the class that some run gets wrong.
        num_images: images of the class.
    """

    label: int
    hardest: np.ndarray
    easiest: np.ndarray
    num_hard: int
    num_images: int


@dataclass(frozen=True)
class Difficulty:
    """How hard the images are.

    Attributes:
        shares: images that all or none get right, on `split`.
        correlations: of the measures, on validation images.
        measures: by name, each validation image's value, larger for harder; those there are.
        num_epochs: E; an image never learned has E+1.
        parts: accuracy on the easy and the hard images of `split`; None with one seed.
        rankings: per class, the images of `split`.
        wrong_N: share of runs that are wrong on each image of `split`, families counting the same.
        depth_N: mean reading depth of each, as a share of the reading; None without causal readers.
        split: `test` once it was opened.
    """

    shares: Shares
    correlations: Correlations
    measures: dict[str, np.ndarray]
    num_epochs: int
    parts: list[PartOfImages] | None
    rankings: list[Ranking]
    wrong_N: np.ndarray
    depth_N: np.ndarray | None
    split: str


def difficulty(evidence: Evidence) -> Difficulty | None:
    """Measure every image; None without answers."""
    counted = shares(evidence)
    if counted is None:
        return None
    learned, shown = witnesses(evidence, "validation"), witnesses(evidence, evidence.split)
    measures = {name: values for name in MEASURES if (values := over_families(learned, name)) is not None}
    wrong_N = over_families(shown, "wrong")
    assert wrong_N is not None
    return Difficulty(
        counted,
        correlations(learned),
        measures,
        evidence.spec.recipe.epochs,
        parts(evidence),
        _rankings(evidence, wrong_N),
        wrong_N,
        over_families(shown, "depth"),
        evidence.split,
    )


def _rankings(evidence: Evidence, wrong_N: np.ndarray) -> list[Ranking]:
    runs = Gathered.gather(evidence)
    assert runs is not None
    margin_N = runs.margin_RN.mean(axis=0)
    found = []
    for label in range(len(evidence.spec.data.class_names)):
        images_M = np.flatnonzero(evidence.labels_N == label)
        from_hardest_M = images_M[np.lexsort((margin_N[images_M], -wrong_N[images_M]))]
        hard_M = from_hardest_M[wrong_N[from_hardest_M] > 0]
        easy_M = from_hardest_M[wrong_N[from_hardest_M] == 0][::-1]
        found.append(Ranking(label, hard_M, easy_M, len(hard_M), len(images_M)))
    return found
