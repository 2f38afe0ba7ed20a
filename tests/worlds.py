"""Networks that are not trained: margins of runs from what is hard for everyone, for a network, and by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linewise.foundations.arrays import Predictions


@dataclass(frozen=True)
class Network:
    """A kind of run: margin = level + what the image is for everyone + for this network + noise of the run.

    Attributes:
        level: the higher, the more accurate.
        own: how much of what is hard is hard for this network only.
        noise: how much of it changes from seed to seed.
    """

    level: float = 2.0
    own: float = 0.0
    noise: float = 0.5

    def margins(self, rng: np.random.Generator, seeds: int, common_N: np.ndarray) -> np.ndarray:
        """Of some runs on some images, `SN`; a run is right where it is above 0."""
        own_N = self.own * rng.normal(size=len(common_N))
        return self.level + common_N + own_N + self.noise * rng.normal(size=(seeds, len(common_N)))


def study(
    rng: np.random.Generator, first: Network, second: Network, seeds: int, images: int
) -> tuple[np.ndarray, np.ndarray]:
    """Margins of runs of both, `RN`, and which are of the first, `R`."""
    common_N = rng.normal(size=images)
    margins = [network.margins(rng, seeds, common_N) for network in (first, second)]
    return np.concatenate(margins), np.arange(2 * seeds) < seeds


def answers(margin_SN: np.ndarray, classes: int = 3) -> list[Predictions]:
    """Runs with these margins; the true class is 0, and the rest of the probability falls to one other class."""
    found = []
    for margin_N in np.tanh(margin_SN / 4):
        probabilities_NK = np.zeros((len(margin_N), classes), dtype=np.float32)
        probabilities_NK[:, 0], probabilities_NK[:, 1] = (1 + margin_N) / 2, (1 - margin_N) / 2
        labels_N = np.zeros(len(margin_N), dtype=np.int64)
        found.append(Predictions(probabilities_NK, probabilities_NK.argmax(axis=1), labels_N))
    return found
