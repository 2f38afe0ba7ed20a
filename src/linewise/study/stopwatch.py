"""How fast the networks of a study learn and answer: one of each, warm, in alternation, nothing else running."""

from __future__ import annotations

from collections.abc import Callable

import torch

from linewise.foundations.allocator import give_back_freed_memory
from linewise.foundations.environment import environment
from linewise.foundations.records import Recipe
from linewise.foundations.speed import Speed, Turns
from linewise.images.batches import Batches
from linewise.models import Network
from linewise.study.device import in_words, kernels_in_words
from linewise.study.job import GUARANTEE
from linewise.training.alternation import alternate, answering, learning

ROUNDS = {"train": 9, "1": 15, "1000": 9}
"""Kind of work → counted rounds; a number is a batch of images to be answered."""
LEARNING_STEPS, LEARNING_S = 4, 0.05
"""A turn of training: steps in one piece of work, and least duration in seconds."""


def time_networks(
    networks: dict[str, tuple[Network, Recipe]],
    training: Batches,
    test: Batches,
    threads: int,
    on_round: Callable[[int], None] = lambda done: None,
) -> Speed:
    """Speeds of one network per label.

    Args:
        networks: trained; they are trained further here, so nothing may use them afterwards.
        on_round: called with the number of rounds done, of `sum(ROUNDS.values())`.
    """
    labels, done = list(networks), 0
    found: dict[str, list[Turns]] = {}
    for kind in ("1", "1000", "train"):  # training comes last: it changes the networks
        if kind == "train":
            counts = {label: _few(training, recipe) for label, (_, recipe) in networks.items()}
            tasks = [learning(network, counts[label], recipe) for label, (network, recipe) in networks.items()]
            least_s = LEARNING_S
        else:
            x_BCHW = _batch(test, int(kind))
            counts = dict.fromkeys(labels, x_BCHW)
            tasks = [answering(network, x_BCHW) for network, _ in networks.values()]
            least_s = 0.01
        offset = done
        give_back_freed_memory()  # of what came before, which needed blocks of other sizes
        turns = alternate(
            tasks, rounds=ROUNDS[kind], at_least_s=least_s, on_round=lambda n, offset=offset: on_round(offset + n)
        )
        done += ROUNDS[kind]
        found[kind] = [
            Turns(label=label, images=len(counts[label]), seconds=times)
            for label, times in zip(labels, turns, strict=True)
        ]
    device = training.device.type
    kernels, words = kernels_in_words(device), in_words(device)
    machine = environment(threads, kernels=kernels, guarantee=GUARANTEE, device=words)
    return Speed(environment=machine, work=found)


def _few(training: Batches, recipe: Recipe) -> Batches:
    """Training images for a few whole steps."""
    count = min(LEARNING_STEPS, max(1, len(training) // recipe.batch_size)) * recipe.batch_size
    few = Batches(training.images_NHWC[:count], training.labels_N[:count], training.mean, training.std)
    return few if training.device.type == "cpu" else few.to(training.device)


def _batch(test: Batches, size: int) -> torch.Tensor:
    x_BCHW, _ = next(test.in_order(min(size, len(test))))
    while len(x_BCHW) < size:  # few test images: repeat them
        x_BCHW = torch.cat([x_BCHW, x_BCHW])[:size]
    return x_BCHW.contiguous(memory_format=torch.channels_last)
