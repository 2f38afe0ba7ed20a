"""What two networks answering together gain: one of each family against two seeds of one network."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from linewise.analysis.beside import best
from linewise.analysis.evidence import Evidence
from linewise.analysis.intervals import Interval, accuracy, bonett_price
from linewise.analysis.overlap.spread import half_width, share
from linewise.foundations.arrays import Predictions

Seeds = list[int]
Measure = Callable[[Seeds, Seeds], np.ndarray | None]
"""Figures per image, `N`, from some of the recurrent and some of the convolutional runs; None from too few."""


@dataclass(frozen=True)
class Ensembles:
    """Accuracies of two runs that answer by the mean of their probabilities, over all pairs of seeds.

    Attributes:
        recurrent, convolutional: labels of the best network of each family by validation.
        alone_recurrent, alone_convolutional: one run by itself.
        two_recurrent, two_convolutional: two runs of one network; None with one seed.
        mixed: one run of each.
        over_recurrent, over_convolutional: what the mixed pair gains over two of one network, paired by image;
            None likewise. The one that counts is the gain over the better of the two.
    """

    recurrent: str
    convolutional: str
    alone_recurrent: Interval
    alone_convolutional: Interval
    two_recurrent: Interval | None
    two_convolutional: Interval | None
    mixed: Interval
    over_recurrent: Interval | None
    over_convolutional: Interval | None


def ensembles(evidence: Evidence) -> Ensembles | None:
    """Compare the pairs; None unless both families have answers."""
    reader, convolver = best(evidence.family("recurrent")), best(evidence.family("convolutional"))
    if reader is None or convolver is None:
        return None
    labels = reader.label, convolver.label
    return together(labels, reader.answers(evidence.split), convolver.answers(evidence.split))


def together(labels: tuple[str, str], recurrent: list[Predictions], convolutional: list[Predictions]) -> Ensembles:
    """Compare all pairs of runs of two networks, at least one run of each."""
    labels_N = recurrent[0].labels_N
    r_SNK, c_SNK = (np.stack([a.probabilities_NK for a in side]) for side in (recurrent, convolutional))
    r_SSN, c_SSN, m_SSN = (_right(a, b, labels_N) for a, b in ((r_SNK, r_SNK), (c_SNK, c_SNK), (r_SNK, c_SNK)))
    measures: dict[str, Measure] = {
        "two_recurrent": lambda r, c: _twins(r_SSN, r),
        "two_convolutional": lambda r, c: _twins(c_SSN, c),
        "mixed": lambda r, c: m_SSN[np.ix_(r, c)].mean(axis=(0, 1)) if r and c else None,
    }
    gains = {f"over_{family}": _less(measures["mixed"], measures[f"two_{family}"]) for family in
             ("recurrent", "convolutional")}  # fmt: skip
    both = len(r_SNK), len(c_SNK)
    sizes = {"two_recurrent": (both[0], 0), "two_convolutional": (0, both[1])}
    found = {name: _interval(measure, sizes.get(name, both)) for name, measure in measures.items()}
    found |= {name: _interval(measure, both, gain=True) for name, measure in gains.items()}
    alone = [accuracy(np.stack([a.correct_N for a in side])) for side in (recurrent, convolutional)]
    return Ensembles(*labels, *alone, **found)  # type: ignore[arg-type]


def _right(first_SNK: np.ndarray, second_SNK: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Whether every two runs together are right, bool `SSN`; the mean has the largest class of the sum."""
    return np.stack([[(a + b).argmax(axis=1) == labels_N for b in second_SNK] for a in first_SNK])


def _twins(right_SSN: np.ndarray, seeds: Seeds) -> np.ndarray | None:
    """Mean over every two different runs of one network."""
    pairs = list(itertools.combinations(seeds, 2))
    return np.mean([right_SSN[pair] for pair in pairs], axis=0) if pairs else None


def _less(first: Measure, second: Measure) -> Measure:
    def measure(r: Seeds, c: Seeds) -> np.ndarray | None:
        a, b = first(r, c), second(r, c)
        return None if a is None or b is None else a - b

    return measure


def _interval(measure: Measure, sizes: tuple[int, int], *, gain: bool = False) -> Interval | None:
    """A figure over seeds and images; over images only where it is not there without each one of its runs."""
    everyone = tuple(list(range(size)) for size in sizes)
    per_image_N = measure(*everyone)
    if per_image_N is None:
        return None
    images, estimate = len(per_image_N), float(per_image_N.mean())
    left_out = [
        [measure(*([s for s in side if i != place or s != seed] for i, side in enumerate(everyone)))
         for seed in everyone[place]] for place in (0, 1)
    ]  # fmt: skip
    covers = all(found is not None for side in left_out for found in side)
    means = [np.array([found.mean() for found in side if found is not None]) for side in left_out if side]
    part = (float(per_image_N.var(ddof=1)) / images if images > 1 else 0.0), max(1, images - 1)
    half, seeds = half_width(part, means if covers else []), min(s for s in sizes if s)
    if not gain:
        return Interval(estimate, *share(estimate, half, images), images, seeds, covers)
    low, high = (estimate - half, estimate + half) if half > 0 and covers else bonett_price(per_image_N)
    return Interval(estimate, max(-1.0, low), min(1.0, high), images, seeds, covers)
