"""Times measured in alternation, so that a machine that drifts hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from linewise.foundations.records import Recipe
from linewise.images.batches import Batches
from linewise.models import Network
from linewise.training.evaluation import BATCH
from linewise.training.loop import train

WARM_UP = 3
Task = Callable[[], float]
"""Does a piece of work and says how many seconds it took."""


def alternate(
    tasks: Sequence[Task],
    *,
    rounds: int = 9,
    at_least_s: float = 0.01,
    on_round: Callable[[int], None] = lambda done: None,
) -> list[list[float]]:
    """Seconds per piece of work, one value per round, for each task.

    In each round every task takes its turn; a turn repeats the work until it lasts `at_least_s`, and counts the
    mean. The first turns, not counted, warm caches and threads.

    Args:
        rounds: counted turns per task.
        at_least_s: least duration of a turn, seconds.
        on_round: called after each round with the number of rounds done.
    """
    warm = [min(task() for _ in range(WARM_UP)) for task in tasks]
    repeats = [max(1, round(at_least_s / max(took_s, 1e-6))) for took_s in warm]
    turns: list[list[float]] = [[] for _ in tasks]
    for done in range(rounds):
        for task, n, times in zip(tasks, repeats, turns, strict=True):
            times.append(sum(task() for _ in range(n)) / n)
        on_round(done + 1)
    return turns


def wait_for(device: torch.device) -> None:
    """Until a device has done all it was told; the processor always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def answering(network: Network, x_BCHW: torch.Tensor) -> Task:
    """A forward pass of images, as many at a time as are evaluated together, in evaluation mode."""
    network.eval()
    parts = x_BCHW.split(BATCH)

    def task() -> float:
        with torch.inference_mode():
            wait_for(x_BCHW.device)
            started = time.perf_counter()
            for part_BCHW in parts:
                network(part_BCHW)
            wait_for(x_BCHW.device)
            return time.perf_counter() - started

    return task


def learning(network: Network, images: Batches, recipe: Recipe) -> Task:
    """One pass over a few training images, by the training loop itself; evaluation is not counted.

    The network is trained further by it.

    Args:
        images: a multiple of the recipe's batch size, so that all steps are alike.
    """
    once = recipe.model_copy(update={"epochs": 1})
    first = Batches(images.images_NHWC[:1], images.labels_N[:1], images.mean, images.std)
    first = first if images.device.type == "cpu" else first.to(images.device)

    def task() -> float:
        started = time.perf_counter()
        took_s = train(network, images, first, once, 0).train_s
        return took_s or time.perf_counter() - started  # a loss that is not finite ends it without a sum

    return task
