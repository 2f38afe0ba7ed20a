"""The runs whose mistakes are compared, as arrays: one row each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linewise.analysis.evidence import Evidence, NetworkEvidence

BASELINE = "majority"
TIE = 1e-8
"""Below the smallest step of stored probabilities (float16, 6e-8)."""


@dataclass(frozen=True)
class Gathered:
    """Every finished run with answers; the majority baseline, which reads no image, is left out.

    Attributes:
        networks: those with answers, in the study's order.
        network_R: for each run, which of `networks` it is of.
        predicted_RN: answers.
        margin_RN: probability of the true class minus the largest of the others, from -1 to 1; wrong answers lie
            below 0.
        labels_N: true classes.
    """

    networks: list[NetworkEvidence]
    network_R: np.ndarray
    predicted_RN: np.ndarray
    margin_RN: np.ndarray
    labels_N: np.ndarray

    @classmethod
    def gather(cls, evidence: Evidence) -> Gathered | None:
        """From a study's records; None without answers."""
        networks = [n for n in evidence.networks if n.answers(evidence.split) and n.spec.name != BASELINE]
        if not networks:
            return None
        answers = [(i, a) for i, network in enumerate(networks) for a in network.answers(evidence.split)]
        return cls(
            networks,
            np.array([i for i, _ in answers]),
            np.stack([a.predicted_N for _, a in answers]),
            np.stack([margins(a.probabilities_NK, a.labels_N, a.correct_N) for _, a in answers]),
            evidence.labels_N,
        )

    @cached_property
    def correct_RN(self) -> np.ndarray:
        return self.predicted_RN == self.labels_N

    @cached_property
    def families_R(self) -> np.ndarray:
        """Family of each run."""
        return np.array([self.networks[i].family for i in self.network_R])

    def of(self, label: str) -> np.ndarray:
        """Which runs are of the network with this label, bool `R`."""
        return np.array([self.networks[i].label == label for i in self.network_R])


def margins(probabilities_NK: np.ndarray, labels_N: np.ndarray, correct_N: np.ndarray) -> np.ndarray:
    """How far each image is from being answered wrong, `N`; rounding never turns an answer's side."""
    images_N = np.arange(len(labels_N))
    others_NK = probabilities_NK.astype(np.float64)
    true_N = others_NK[images_N, labels_N]
    others_NK[images_N, labels_N] = -1.0
    margin_N = true_N - others_NK.max(axis=1)
    return np.where(correct_N, np.maximum(margin_N, TIE), np.minimum(margin_N, -TIE))


def hardest(margin_RN: np.ndarray, count: int) -> np.ndarray:
    """The `count` images of smallest margin of each run, bool `RN`: as many mistakes for every run.

    Ties are broken at random, for each run by itself, the same way each time.
    """
    noise_RN = np.random.default_rng(0).random(margin_RN.shape) * (TIE / 2)
    chosen_RC = np.argpartition(margin_RN + noise_RN, count - 1, axis=1)[:, :count]
    hard_RN = np.zeros(margin_RN.shape, dtype=bool)
    np.put_along_axis(hard_RN, chosen_RC, True, axis=1)
    return hard_RN
