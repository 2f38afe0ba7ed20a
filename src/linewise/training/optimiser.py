"""AdamW with a one-cycle learning rate (Loshchilov & Hutter 2019; Smith & Topin 2019).

The steps are torch's own (`torch.optim.adamw.adamw`), and so are the rates, to the bit. Its classes around them
are not used: they load torch's compiler, which nothing here needs, at 60 MB and most of a second for each worker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import final

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from linewise.foundations.defaults import BETAS, FALL
from linewise.foundations.records import Recipe


@final
class AdamW:
    """`torch.optim.AdamW(…, fused=True)`.

    Weight decay acts on matrices and kernels, not on biases and norms.

    Args:
        lr: a number that may be set before each step, or a tensor that is filled, for steps that are recorded.
        axes: leading axes that count networks: a bias of S networks is no matrix.

    Attributes:
        lr: of the next step.
    """

    def __init__(
        self,
        weights: Iterable[Tensor],
        lr: float | Tensor,
        weight_decay: float,
        *,
        betas: tuple[float, float] = BETAS,
        axes: int = 0,
    ) -> None:
        self.lr, self._betas, weights = lr, betas, list(weights)
        decayed, others = ([p for p in weights if (p.ndim > 1 + axes) == is_matrix] for is_matrix in (True, False))
        self._groups = [(_States(decayed), weight_decay), (_States(others), 0.0)]

    def zero_grad(self) -> None:
        for states, _ in self._groups:
            for weight in states.weights:
                weight.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """What it remembers, the tensors themselves, by names that are the same for the same network."""
        return {
            f"{kind}.{group}.{place}": tensor
            for group, (states, _) in enumerate(self._groups)
            for kind in ("means", "squares", "counts")
            for place, tensor in enumerate(getattr(states, kind))
        }

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients; a weight without one stays."""
        beta1, beta2 = self._betas
        for states, weight_decay in self._groups:
            weights, grads, means, squares, counts = states.with_gradients()
            if weights:
                adamw(
                    weights, grads, means, squares, [], counts, fused=True, amsgrad=False, maximize=False,
                    capturable=isinstance(self.lr, Tensor) and weights[0].is_cuda,
                    beta1=beta1, beta2=beta2, lr=self.lr, weight_decay=weight_decay, eps=1e-8,
                )  # fmt: skip


class _States:
    """What AdamW remembers of each weight."""

    def __init__(self, weights: list[Tensor]) -> None:
        self.weights = weights
        self.means, self.squares = ([torch.zeros_like(p) for p in weights] for _ in range(2))
        self.counts = [torch.zeros((), dtype=torch.float32, device=p.device) for p in weights]

    def with_gradients(self) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
        found: tuple[list[Tensor], ...] = ([], [], [], [], [])
        for weight, mean, square, count in zip(self.weights, self.means, self.squares, self.counts, strict=True):
            if weight.grad is not None:
                for column, tensor in zip(found, (weight, weight.grad, mean, square, count), strict=True):
                    column.append(tensor)
        return found  # pyright: ignore[reportReturnType]


@final
class OneCycle:
    """`torch.optim.lr_scheduler.OneCycleLR(…, cycle_momentum=False)`: up, then down to next to nothing.

    Args:
        highest: learning rate.
        total: steps.
        rise: share of them in which the rate rises.
        fall: `cosine`, half of one up and half of one down, or `linear`.
    """

    def __init__(self, optimiser: AdamW, highest: float, total: int, rise: float, fall: str = FALL) -> None:
        self._optimiser, self._highest, self._total, self._linear = optimiser, highest, total, fall == "linear"
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
        if self._linear:
            self._optimiser.lr = (end - start) * share + start
        else:
            self._optimiser.lr = end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def go_to(self, step: int) -> None:
        """Be where so many calls of `step` lead."""
        self._step = step - 1
        self.step()

    def get_last_lr(self) -> list[float]:
        assert isinstance(self._optimiser.lr, float)
        return [self._optimiser.lr]


def make_optimiser(network: nn.Module, recipe: Recipe, steps: int) -> tuple[AdamW, OneCycle]:
    """The optimiser and its schedule, to be stepped once per batch."""
    weights = [p for p in network.parameters() if p.requires_grad]
    optimiser = AdamW(weights, recipe.lr, recipe.weight_decay, betas=recipe.betas)
    total = max(4, steps + 1)  # one more than is taken: the last step still learns
    rise = max(recipe.rise, 2 / total)  # the rise's steps less one are divided by
    return optimiser, OneCycle(optimiser, recipe.lr, total, rise, recipe.fall)


def make_recordable(weights: Iterable[Tensor], recipe: Recipe, axes: int = 0) -> tuple[AdamW, Tensor]:
    """The same optimiser for a step that is recorded: its learning rate is a tensor, filled before each step.

    Args:
        axes: leading axes that count networks.
    """
    weights = list(weights)
    device = weights[0].device
    lr = torch.tensor(recipe.lr, device=device, dtype=torch.float32 if device.type == "cuda" else torch.float64)
    return AdamW(weights, lr, recipe.weight_decay, betas=recipe.betas, axes=axes), lr


def learning_rates(recipe: Recipe, steps: int) -> list[float]:
    """The learning rate of each step, from the schedule of `make_optimiser`."""
    _, schedule = make_optimiser(nn.Linear(1, 1), recipe, steps)
    rates: list[float] = []
    for _ in range(steps):
        rates += schedule.get_last_lr()
        schedule.step()
    return rates
