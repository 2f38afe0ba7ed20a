"""Which images only one family gets wrong, and which all get wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.analysis.evidence import Evidence, NetworkEvidence


@dataclass(frozen=True)
class Mistakes:
    """Images by who gets them wrong; positions in the test set.

    A family gets an image wrong when more than half of its runs do, all its networks and seeds taken together.

    Attributes:
        only_recurrent: the recurrent family wrong, the convolutional right.
        only_convolutional: the other way round.
        both: both families wrong.
        wrong_recurrent_N, wrong_convolutional_N: share of runs that are wrong, per image.
    """

    only_recurrent: np.ndarray
    only_convolutional: np.ndarray
    both: np.ndarray
    wrong_recurrent_N: np.ndarray
    wrong_convolutional_N: np.ndarray


def mistakes(evidence: Evidence) -> Mistakes | None:
    """Images sorted by family; None where a family has no answers.

    Each list begins with the images on which the families differ most (for `both`: most runs wrong).
    """
    recurrent, convolutional = (
        wrong_share(evidence.family(f), evidence.split) for f in ("recurrent", "convolutional")
    )
    if recurrent is None or convolutional is None:
        return None
    wrong_r, wrong_c = recurrent > 0.5, convolutional > 0.5
    return Mistakes(
        only_recurrent=_ordered(wrong_r & ~wrong_c, recurrent - convolutional),
        only_convolutional=_ordered(wrong_c & ~wrong_r, convolutional - recurrent),
        both=_ordered(wrong_r & wrong_c, recurrent + convolutional),
        wrong_recurrent_N=recurrent,
        wrong_convolutional_N=convolutional,
    )


def wrong_share(networks: list[NetworkEvidence], split: str) -> np.ndarray | None:
    """Share of all runs of these networks that are wrong, per image, `N`; None without runs."""
    correct = [c for network in networks if (c := network.correct_SN(split)) is not None]
    return 1 - np.concatenate(correct).mean(axis=0) if correct else None


def _ordered(chosen_N: np.ndarray, weight_N: np.ndarray) -> np.ndarray:
    indices = np.flatnonzero(chosen_N)
    return indices[np.argsort(-weight_N[indices], kind="stable")]
