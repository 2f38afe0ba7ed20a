"""Answers of a trained network on many images."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from linewise.images.batches import Batches
from linewise.models import Network

BATCH = 250
"""Images answered together: as fast as more, and in less memory."""


def probabilities(network: Network, images: Batches) -> np.ndarray:
    """Class probabilities `NK`, float32, in evaluation mode. The network is left in evaluation mode."""
    network.eval()
    parts: list[torch.Tensor] = []
    with torch.inference_mode():
        parts.extend(torch.softmax(network(x_BCHW), dim=1) for x_BCHW, _ in images.in_order(BATCH))
    return torch.cat(parts).cpu().numpy()


def logits_and_loss(network: Network, images: Batches) -> tuple[torch.Tensor, float]:
    """Answers `logits_NK` and their mean cross-entropy (nats), in evaluation mode."""
    network.eval()
    parts: list[torch.Tensor] = []
    loss = 0.0
    with torch.inference_mode():
        for x_BCHW, y_B in images.in_order(BATCH):
            parts.append(network(x_BCHW))
            loss += F.cross_entropy(parts[-1], y_B, reduction="sum").item()
        return torch.cat(parts), loss / len(images)


def correctness_and_loss(network: Network, images: Batches) -> tuple[np.ndarray, float]:
    """Whether each answer is right, bool `N`, and the mean cross-entropy (nats), in evaluation mode."""
    logits_NK, loss = logits_and_loss(network, images)
    return logits_NK.argmax(dim=1).cpu().numpy() == images.labels_N, loss
