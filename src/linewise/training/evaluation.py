"""Answers of a trained network on many images."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from linewise.images.batches import Batches
from linewise.models import Network

BATCH = 1000


def probabilities(network: Network, images: Batches) -> np.ndarray:
    """Class probabilities `NK`, float32, in evaluation mode. The network is left in evaluation mode."""
    network.eval()
    parts: list[torch.Tensor] = []
    with torch.inference_mode():
        parts.extend(torch.softmax(network(x_BCHW), dim=1) for x_BCHW, _ in images.in_order(BATCH))
    return torch.cat(parts).cpu().numpy()


def correctness_and_loss(network: Network, images: Batches) -> tuple[np.ndarray, float]:
    """Whether each answer is right, bool `N`, and the mean cross-entropy (nats), in evaluation mode."""
    network.eval()
    right: list[torch.Tensor] = []
    loss = 0.0
    with torch.inference_mode():
        for x_BCHW, y_B in images.in_order(BATCH):
            logits_BK = network(x_BCHW)
            right.append(logits_BK.argmax(dim=1) == y_B)
            loss += F.cross_entropy(logits_BK, y_B, reduction="sum").item()
    return torch.cat(right).cpu().numpy(), loss / len(images)
