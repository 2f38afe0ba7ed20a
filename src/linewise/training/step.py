"""One step of training: forward, backward, clipped, update."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from linewise.foundations.records import Recipe
from linewise.models import Network
from linewise.training.graph import Graph, Recorder, recorder_for
from linewise.training.loss import loss_and_answers
from linewise.training.optimiser import learning_rates, make_optimiser, make_recordable


@dataclass(frozen=True)
class Taken:
    """What one step came to.

    Attributes:
        loss: what is made small; where it is not finite, no weight was changed.
        answer_loss: cross-entropy of the answer alone.
        num_right: images whose answer was right.
        lr: learning rate.
        num_images: of the batch, on all ranks.
    """

    loss: float
    answer_loss: float
    num_right: int
    lr: float
    num_images: int


class Step(ABC):
    """Takes one step after another with one network."""

    @abstractmethod
    def __call__(self, x_BCHW: Tensor, y_B: Tensor) -> Taken: ...

    @abstractmethod
    def next_lr(self) -> float:
        """The learning rate of the next step; there must be one."""

    @abstractmethod
    def remembered(self) -> dict[str, Tensor]:
        """What the optimiser keeps from one step to the next, the tensors themselves."""

    @abstractmethod
    def go_to(self, taken: int) -> None:
        """Have the schedule go on as after so many steps."""


def make_step(network: Network, recipe: Recipe, steps: int) -> Step:
    """Recorded as a CUDA graph where the network is on such a device."""
    trained = [p for p in network.parameters() if p.requires_grad]
    if trained and trained[0].device.type == "cuda":
        return Recorded(network, recipe, steps, recorder_for(trained[0].device))
    return Plain(network, recipe, steps)


@final
class Plain(Step):
    """Op by op."""

    def __init__(self, network: Network, recipe: Recipe, steps: int) -> None:
        self.network, self.recipe, self.parameters = network, recipe, list(network.parameters())
        trained = any(p.requires_grad for p in self.parameters)
        self.optimiser, self.schedule = make_optimiser(network, recipe, steps) if trained else (None, None)

    def next_lr(self) -> float:
        return float(self.schedule.get_last_lr()[0]) if self.schedule else 0.0

    def remembered(self) -> dict[str, Tensor]:
        return self.optimiser.tensors() if self.optimiser else {}

    def go_to(self, taken: int) -> None:
        if self.schedule:
            self.schedule.go_to(taken)

    def __call__(self, x_BCHW: Tensor, y_B: Tensor) -> Taken:
        loss, answer_loss, logits_BK = loss_and_answers(self.network, x_BCHW, y_B, self.recipe)
        value, lr = loss.item(), self.next_lr()
        if not math.isfinite(value):
            return Taken(value, value, 0, lr, len(y_B))
        if self.optimiser and self.schedule:
            self.optimiser.zero_grad()
            loss.backward()
            if self.recipe.clip:
                torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip, foreach=True)
            self.optimiser.step()
            self.schedule.step()
        answer = value if answer_loss is loss else answer_loss.item()
        return Taken(value, answer, int(num_right(logits_BK, y_B)), lr, len(y_B))


@final
class Recorded(Step):
    """The same step as one graph; a loss that is not finite is found on the device, and the weights stay."""

    def __init__(self, network: Network, recipe: Recipe, steps: int, recorder: Recorder) -> None:
        self.network, self.recipe = network, recipe
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.optimiser, self.lr = make_recordable(self.parameters, recipe)
        self.rates, self.taken = learning_rates(recipe, steps), 0
        self.graph = Graph(self._work, recorder)

    def next_lr(self) -> float:
        return self.rates[self.taken]

    def remembered(self) -> dict[str, Tensor]:
        return self.optimiser.tensors()

    def go_to(self, taken: int) -> None:
        self.taken = taken

    def __call__(self, x_BCHW: Tensor, y_B: Tensor) -> Taken:
        rate = self.rates[self.taken]
        self.taken += 1
        self.lr.fill_(rate)
        (found,) = self.graph(x_BCHW, y_B)
        loss, answer_loss, right = found.tolist()
        return Taken(loss, answer_loss, int(right), rate, len(y_B))

    def _work(self, x_BCHW: Tensor, y_B: Tensor) -> tuple[Tensor]:
        loss, answer_loss, logits_BK = loss_and_answers(self.network, x_BCHW, y_B, self.recipe)
        before = [p.detach().clone() for p in self.parameters]
        self.optimiser.zero_grad()
        loss.backward()
        if self.recipe.clip:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip, foreach=True)
        self.optimiser.step()
        with torch.no_grad():
            finite = torch.isfinite(loss)
            for p, kept in zip(self.parameters, before, strict=True):
                p.copy_(torch.where(finite, p, kept))
            return (torch.stack([loss.double(), answer_loss.double(), num_right(logits_BK, y_B).double()]),)


def num_right(logits_BK: Tensor, y_B: Tensor) -> Tensor:
    """How many answers are right."""
    return (logits_BK.detach().argmax(dim=1) == y_B).sum()
