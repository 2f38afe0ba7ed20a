"""The images of the trials: all training images, or a share of them with the classes in proportion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linewise.foundations.records import TuningPlan
from linewise.foundations.seeds import stream
from linewise.images.mapped import select
from linewise.images.sets import ImageSet, Part
from linewise.study.job import Arrays, share


def arrays_of(images: ImageSet, plan: TuningPlan, workplace: Path) -> tuple[Arrays, Arrays]:
    """Training and validation images as the trials' processes read them; the test images are not among them."""
    training = images.train if plan.images is None else part_of(images.train, plan.images, plan.seed_base)
    return share(training, workplace, "tuning-train"), share(images.validation, workplace, "tuning-val")


def part_of(part: Part, number: int, seed: int) -> Part:
    """A share of the training images in which the classes have the proportions they have in all, at random.

    Every class has at least one image as long as `number` allows.
    """
    generator = np.random.Generator(np.random.PCG64(stream(seed, "tuning images")))
    mixed_N = generator.permutation(len(part))
    rank_N = np.empty(len(part))
    for label in np.unique(part.labels_N):
        members = mixed_N[part.labels_N[mixed_N] == label]
        # Evenly spread over (0, 1): the first so many of all have every class in proportion; each class's first
        # image goes before all second ones.
        rank_N[members] = (np.arange(len(members)) + 0.5) / len(members)
        rank_N[members[0]] = 0
    chosen = np.sort(np.argsort(rank_N, kind="stable")[:number])
    return Part(select(part.images_NHWC, chosen), part.labels_N[chosen])
