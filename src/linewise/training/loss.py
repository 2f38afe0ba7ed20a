"""What training makes small: the cross-entropy of the answer and, on request, of the answers on the way to it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from linewise.foundations.records import Recipe
from linewise.models import Network

SILENT = 0.25
"""Share of the steps whose answers cost nothing: what was read by then is mostly border."""


def loss_and_answers(
    network: Network, x_BCHW: Tensor, y_B: Tensor, recipe: Recipe
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss to make small, the cross-entropy of the answer alone, and the answers `logits_BK`.

    With `read_along` (r) the loss is (1 - r)·(that of the answer) + r·(the mean over the answers after each step,
    the first quarter of the steps left out). Networks that do not answer after each step learn from the answer
    alone.
    """
    smoothing = recipe.label_smoothing
    if not (recipe.read_along and network.answers_each_step):
        logits_BK = network(x_BCHW)
        loss = F.cross_entropy(logits_BK, y_B, label_smoothing=smoothing)
        return loss, loss, logits_BK
    logits_BTK = network.forward_steps(x_BCHW)
    logits_BK = logits_BTK[:, -1]
    told_BTK = logits_BTK[:, int(SILENT * logits_BTK.shape[1]) :]
    y_BT = y_B[:, None].expand(told_BTK.shape[:2])
    along = F.cross_entropy(told_BTK.flatten(0, 1), y_BT.flatten(), label_smoothing=smoothing)
    answer = F.cross_entropy(logits_BK, y_B, label_smoothing=smoothing)
    return (1 - recipe.read_along) * answer + recipe.read_along * along, answer, logits_BK
