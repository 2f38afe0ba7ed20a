"""AdamW with a one-cycle learning rate (Loshchilov & Hutter 2019; Smith & Topin 2019).

The steps are torch's own (`torch.optim.adamw.adamw`), and so are the rates, to the bit. Its classes around them
are not used: they load torch's compiler, which nothing here needs, at 60 MB and most of a second for each worker.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from linewise.foundations.records import Recipe

RISE = 0.25
"""Share of the steps in which the learning rate rises."""


@final
class AdamW:
    """`torch.optim.AdamW(…, betas=(0.9, 0.99), fused=True)`.

    Weight decay acts on matrices and kernels, not on biases and norms.

    Attributes:
        lr: of the next step.
    """

    def __init__(self, parameters: list[nn.Parameter], lr: float, weight_decay: float) -> None:
        self.lr = lr
        decayed, others = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
        self._groups = [(_States(decayed), weight_decay), (_States(others), 0.0)]

    def zero_grad(self) -> None:
        for states, _ in self._groups:
            for parameter in states.parameters:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients; a parameter without one stays."""
        for states, weight_decay in self._groups:
            parameters, grads, means, squares, counts = states.with_gradients()
            if parameters:
                adamw(
                    parameters, grads, means, squares, [], counts, fused=True, amsgrad=False, maximize=False,
                    beta1=0.9, beta2=0.99, lr=self.lr, weight_decay=weight_decay, eps=1e-8,
                )  # fmt: skip


class _States:
    """What AdamW remembers of each parameter."""

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        self.means, self.squares = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
        self.counts = [torch.zeros((), dtype=torch.float32, device=p.device) for p in parameters]

    def with_gradients(self) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        found: tuple[list[Tensor], ...] = ([], [], [], [], [])
        rows = zip(self.parameters, self.means, self.squares, self.counts, strict=True)
        for parameter, mean, square, count in rows:
            if parameter.grad is not None:
                for column, tensor in zip(found, (parameter, parameter.grad, mean, square, count), strict=True):
                    column.append(tensor)
        return found  # pyright: ignore[reportReturnType]


@final
class OneCycle:
    """`torch.optim.lr_scheduler.OneCycleLR(…, cycle_momentum=False)`: up along half a cosine, down along another.

    Args:
        highest: learning rate.
        total: steps.
        rise: share of them in which the rate rises.
    """

    def __init__(self, optimiser: AdamW, highest: float, total: int, rise: float) -> None:
        self._optimiser, self._highest, self._total = optimiser, highest, total
        self._peak = float(rise * total) - 1
        self._step = -1
        self.step()

    def step(self) -> None:
        """Go on to the rate of the next step."""
        self._step += 1
        if self._step > self._total:
            raise ValueError(f"step {self._step} of {self._total}")
        # in torch's order of operations, which rounds like this
        first = self._highest / 25.0
        last = first / 1e4
        if self._step <= self._peak:
            start, end, share = first, self._highest, (self._step - 0.0) / (self._peak - 0.0)
        else:
            start, end = self._highest, last
            share = (self._step - self._peak) / (self._total - 1 - self._peak)
        self._optimiser.lr = end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_last_lr(self) -> list[float]:
        return [self._optimiser.lr]


def make_optimiser(network: nn.Module, recipe: Recipe, steps: int) -> tuple[AdamW, OneCycle]:
    """The optimiser and its schedule, to be stepped once per batch."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = AdamW(parameters, recipe.lr, recipe.weight_decay)
    total = max(4, steps + 1)  # one more than is taken: the last step still learns
    rise = max(RISE, 2 / total)  # the rise's steps less one are divided by
    return optimiser, OneCycle(optimiser, recipe.lr, total, rise)
