"""AdamW with a one-cycle learning rate (Loshchilov & Hutter 2019; Smith & Topin 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from linewise.foundations.records import Recipe

RISE = 0.25
"""Share of the steps in which the learning rate rises."""


def make_optimiser(network: nn.Module, recipe: Recipe, steps: int) -> tuple[AdamW, OneCycleLR]:
    """The optimiser and its schedule, to be stepped once per batch.

    Weight decay acts on matrices and kernels, not on biases and norms.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimiser = AdamW(_groups(parameters, recipe, 1), lr=recipe.lr, betas=(0.9, 0.99), fused=True)
    total = max(4, steps + 1)  # one more than is taken: the last step still learns
    rise = max(RISE, 2 / total)  # torch divides by the rise's steps less one
    schedule = OneCycleLR(optimiser, max_lr=recipe.lr, total_steps=total, pct_start=rise, cycle_momentum=False)
    return optimiser, schedule


def make_recordable(weights: Iterable[Tensor], recipe: Recipe, axes: int = 0) -> tuple[AdamW, Tensor]:
    """The same optimiser for a step that is recorded: its learning rate is a tensor, filled before each step.

    Args:
        axes: leading axes that count networks: a bias of S networks is no matrix.
    """
    weights = list(weights)
    device = weights[0].device
    on_cuda = device.type == "cuda"
    lr = torch.tensor(recipe.lr, device=device, dtype=torch.float32 if on_cuda else torch.float64)
    groups = _groups(weights, recipe, 1 + axes)
    return AdamW(groups, lr=lr, betas=(0.9, 0.99), fused=True, capturable=on_cuda), lr


def learning_rates(recipe: Recipe, steps: int) -> list[float]:
    """The learning rate of each step, from the schedule of `make_optimiser`."""
    optimiser, schedule = make_optimiser(nn.Linear(1, 1), recipe, steps)
    rates: list[float] = []
    for _ in range(steps):
        rates.append(float(schedule.get_last_lr()[0]))
        optimiser.step()
        schedule.step()
    return rates


def _groups(weights: Sequence[Tensor], recipe: Recipe, most_axes: int) -> list[dict[str, object]]:
    groups: list[dict[str, object]] = [
        {"params": [p for p in weights if p.ndim > most_axes], "weight_decay": recipe.weight_decay},
        {"params": [p for p in weights if p.ndim <= most_axes], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
