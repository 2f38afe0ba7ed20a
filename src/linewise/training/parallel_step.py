"""A step of several ranks, each with its part of every batch (torch's DistributedDataParallel).

The result is that of one process with the whole batch, within rounding: each rank's loss counts as much as it has
images, layers that look at the whole batch see it (`wide`), and what is random is drawn for all.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from linewise.foundations.records import Recipe
from linewise.models import Network
from linewise.training.groups import Group, losing
from linewise.training.loss import loss_and_answers
from linewise.training.optimiser import make_optimiser
from linewise.training.step import Step, Taken, num_right
from linewise.training.wide import Batch, widen


class _Objective(nn.Module):
    """Forward as far as the loss: what DistributedDataParallel wraps."""

    def __init__(self, network: Network, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe

    def forward(self, x_BCHW: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return loss_and_answers(self.network, x_BCHW, y_B, self.recipe)


def _shared(objective: _Objective, batch: Batch) -> DistributedDataParallel:
    """The objective, wrapped. It has seen blank images, of which nothing is left but the order of gradients.

    In which order weights get their gradients is found out in the first backward pass; from then on they are sent
    in other groups. Were that the first step, sums over three ranks or more would be rounded otherwise in the
    first step after a restart than in the same step of a run that was not disturbed.
    """
    network, like = objective.network, next(objective.parameters())
    # said by every rank, of weights that lie channels-last, in whichever step torch likes; nothing is lost by it
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    with losing(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated")  # older torch has no other word
        shared = DistributedDataParallel(objective, broadcast_buffers=False)
        buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
        with torch.random.fork_rng([like.device] if like.is_cuda else []):
            batch.num_images = 2 * batch.group.share.world
            x_BCHW = like.new_zeros(2, network.config.in_chans, *network.config.img_size)
            shared.train()(x_BCHW, torch.zeros(2, dtype=torch.int64, device=like.device))[0].backward()
    shared.zero_grad()
    for name, buffer in network.named_buffers():
        buffer.copy_(buffers[name])
    return shared


@final
class ParallelStep(Step):
    """Op by op, gradients averaged over the ranks while they are computed.

    Args:
        asked: see `Parallel`.
        sizes: images of each batch of an epoch, on all ranks.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        steps: int,
        group: Group,
        asked: Callable[[], int],
        sizes: list[int],
    ) -> None:
        self.recipe, self.group, self.asked, self.sizes = recipe, group, asked, sizes
        self.batch = Batch(self.group)
        widen(network, self.batch)
        self.parameters, self.taken = [p for p in network.parameters() if p.requires_grad], 0
        objective = _Objective(network, recipe)
        self.optimiser, self.schedule = make_optimiser(network, recipe, steps) if self.parameters else (None, None)
        self.objective = _shared(objective, self.batch) if self.parameters else objective

    def next_lr(self) -> float:
        return float(self.schedule.get_last_lr()[0]) if self.schedule else 0.0

    def remembered(self) -> dict[str, Tensor]:
        return self.optimiser.tensors() if self.optimiser else {}

    def go_to(self, taken: int) -> None:
        self.taken = taken
        if self.schedule:
            self.schedule.go_to(taken)

    def __call__(self, x_BCHW: Tensor, y_B: Tensor) -> Taken:
        self.batch.num_images = num_images = self.sizes[self.taken % len(self.sizes)]
        assert len(y_B) == len(range(num_images)[self.batch.part])
        self.taken += 1
        with losing():
            loss, answer_loss, logits_BK = self.objective(x_BCHW, y_B)
            told = torch.stack(
                [
                    loss.detach().double() * (len(y_B) / num_images),
                    answer_loss.detach().double() * (len(y_B) / num_images),
                    num_right(logits_BK, y_B).double(),
                    torch.tensor(float(self.asked()), device=loss.device, dtype=torch.float64),
                ]
            )
            telling = self.group.sum_later(told)  # goes on beside the backward pass
            if self.optimiser:
                self.optimiser.zero_grad()
                # gradients are averaged over ranks, and must be over images
                (loss * (len(y_B) * self.group.share.world / num_images)).backward()
            telling.wait()
        value, answer, right, asked = told.tolist()
        self.group.asked_to_stop = asked > 0
        taken = Taken(value, answer, int(right), self.next_lr(), num_images)
        if math.isfinite(value) and self.optimiser and self.schedule:
            if self.recipe.clip:
                torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip, foreach=True)
            self.optimiser.step()
            self.schedule.step()
        return taken
