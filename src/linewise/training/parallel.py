"""One network trained and asked by several ranks, each with its part of the images."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from signal import SIGTERM
from typing import final

import torch
from torch import Tensor

from linewise.foundations.amounts import count
from linewise.foundations.errors import ConfigError
from linewise.foundations.interrupts import Stopped
from linewise.foundations.records import Recipe
from linewise.images.batches import Batches
from linewise.models import Network
from linewise.training import evaluation
from linewise.training.groups import Group
from linewise.training.parallel_step import ParallelStep
from linewise.training.step import Step


@final
class Parallel:
    """What training asks of ranks that share it.

    Args:
        asked: the signal that asked this rank to stop, 0 where none did; all stop after the step in which they
            hear of it. While images are answered, those who are asked answer no more, and all stop after it.
        agreed: called when all have heard of it in that time, before they stop.
    """

    def __init__(
        self, group: Group, asked: Callable[[], int] = lambda: 0, agreed: Callable[[], None] = lambda: None
    ) -> None:
        self.group, self.asked, self.agreed, self.share = group, asked, agreed, group.share

    def make_step(self, network: Network, training: Batches, recipe: Recipe, steps: int) -> Step:
        """The step for a network, whose layers come to look at all ranks.

        Raises:
            ConfigError: a batch with fewer images than ranks, or a network that cannot be divided.
        """
        sizes = training.sizes(recipe.batch_size)
        check_divisible(network, sizes, self.share.world)
        return ParallelStep(network, recipe, steps, self.group, self.asked, sizes)

    def logits_and_loss(self, network: Network, images: Batches) -> tuple[Tensor, float]:
        """As `evaluation.logits_and_loss`: each rank answers its part, and all get all answers.

        Raises:
            Stopped: in all ranks, where one was asked.
        """
        part = self._part(images)
        like, _ = next(part.in_order(1))
        logits_nK, loss = like.new_zeros(len(part), network.config.num_classes), 0.0
        with suppress(Stopped):  # the others need something of its shape
            logits_nK, loss = evaluation.logits_and_loss(network, part, self._check)
        world, most = self.share.world, -(-len(images) // self.share.world)
        padded = logits_nK.new_zeros(most + 2, logits_nK.shape[1], dtype=torch.float64)
        padded[: len(logits_nK)] = logits_nK
        padded[most, 0], padded[most + 1, 0] = loss * len(logits_nK), self.asked()
        found = self.group.gather(padded)
        self._agree(max(float(part[most + 1, 0]) for part in found))
        parts = [type(self.share)(rank, world).of(len(images)) for rank in range(world)]
        logits = [part[: span.stop - span.start] for part, span in zip(found, parts, strict=True)]
        return torch.cat(logits).to(logits_nK.dtype), sum(float(part[most, 0]) for part in found) / len(images)

    def accuracy(self, network: Network, images: Batches) -> float:
        """Share of the images that are recognised, counted by all.

        Raises:
            Stopped: in all ranks, where one was asked.
        """
        part, right = self._part(images), 0
        with suppress(Stopped):
            right = int(evaluation.correctness_and_loss(network, part, self._check)[0].sum())
        right_in_all, asked = self.group.sum(torch.tensor([right, self.asked()])).tolist()
        self._agree(asked)
        return right_in_all / len(images)

    def _check(self) -> None:
        if self.asked():
            raise Stopped(self.asked())

    def _agree(self, asked: float) -> None:
        self.group.asked_to_stop = asked > 0
        if asked:
            self.agreed()
            raise Stopped(self.asked() or SIGTERM)

    def _part(self, images: Batches) -> Batches:
        return images.part(self.share.of(len(images)))


def check_divisible(network: Network, sizes: list[int], world: int) -> None:
    """Refuse what so many ranks cannot share.

    Args:
        sizes: images of each batch of an epoch, and whatever else is to be shared.

    Raises:
        ConfigError: a batch with fewer images than ranks, or a network with layers that are not ours.
    """
    if min(sizes) < world:
        which = "each batch" if sizes[0] < world else "the last batch of an epoch"
        raise ConfigError(
            f"{world} ranks, and {which} has {count(min(sizes), 'image')}",
            where="--batch-size",
            expected="batches with an image for each rank at least",
        )
    if network.counted_by_torch:
        raise ConfigError(
            f"{network.config.name}, whose layers are not ours: whether they can be divided is not known",
            where="--model",
            expected="a network of `linewise models`, or one process without torchrun",
        )
