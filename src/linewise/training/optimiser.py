"""AdamW with a one-cycle learning rate (Loshchilov & Hutter 2019; Smith & Topin 2019)."""

from __future__ import annotations

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from linewise.foundations.records import Recipe


def make_optimiser(network: nn.Module, recipe: Recipe, steps: int) -> tuple[AdamW, OneCycleLR]:
    """The optimiser and its schedule, to be stepped once per batch.

    Weight decay acts on matrices and kernels, not on biases and norms.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimiser = AdamW([g for g in groups if g["params"]], lr=recipe.lr, betas=recipe.betas, fused=True)
    total = max(4, steps + 1)  # one more than is taken: the last step still learns
    rise = max(recipe.rise, 2 / total)  # torch divides by the rise's steps less one
    schedule = OneCycleLR(
        optimiser,
        max_lr=recipe.lr,
        total_steps=total,
        pct_start=rise,
        anneal_strategy="cos" if recipe.fall == "cosine" else "linear",
        cycle_momentum=False,
    )
    return optimiser, schedule
