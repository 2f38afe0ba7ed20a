"""Networks resampled over images and seeds at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

REPLICATES = 2000
BLOCK = 100


def resample(networks: Sequence[np.ndarray], rng: np.random.Generator, replicates: int = REPLICATES) -> np.ndarray:
    """Mean accuracies of networks had other images and seeds been drawn: the two-way bootstrap (Owen 2007).

    A replicate draws N images with replacement, the same for all networks, so that differences stay paired; and
    of each network's S seeds, S − 1 with replacement: drawing S would make the variance of the seeds too small by
    (S − 1) / S, half of it with two seeds (McCarthy and Snowden 1985). One seed stays as it is.

    Args:
        networks: `correct_SN` of each, on the same images.

    Returns:
        `RK`, replicates × networks.
    """
    answers_MN = np.concatenate([np.asarray(correct_SN, dtype=np.float32) for correct_SN in networks])
    images = answers_MN.shape[1]
    runs_RM = np.empty((replicates, len(answers_MN)), dtype=np.float32)
    for start in range(0, replicates, BLOCK):
        stop = min(replicates, start + BLOCK)
        drawn = [np.bincount(rng.integers(images, size=images), minlength=images) for _ in range(start, stop)]
        runs_RM[start:stop] = np.asarray(drawn, dtype=np.float32) @ answers_MN.T
    means, first = [], 0
    for correct_SN in networks:
        seeds = len(correct_SN)
        picked = first + rng.integers(seeds, size=(replicates, max(1, seeds - 1)))
        means.append(np.take_along_axis(runs_RM, picked, axis=1).mean(axis=1, dtype=np.float64) / images)
        first += seeds
    return np.stack(means, axis=1)
