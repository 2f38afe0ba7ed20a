"""Answers of a trained network on many images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

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
    with torch.inference_mode():
        parts = (torch.softmax(network(x_BCHW), dim=1) for x_BCHW, _ in images.in_order(BATCH))
        return gathered(parts, len(images)).cpu().numpy()


def gathered(parts: Iterable[torch.Tensor], number: int) -> torch.Tensor:
    """Parts one after the other, `number` rows in all, each let go when it has been copied.

    As a list they would each keep a little piece of the memory that the next batch's images need, which then take
    new memory: more than 1 GB for 160,000 images of 64×64.
    """
    parts = iter(parts)
    first = next(parts)
    whole = first.new_empty((number, *first.shape[1:]))
    at = 0
    for part in chain([first], parts):
        whole[at : at + len(part)] = part
        at += len(part)
    return whole


def logits_and_loss(
    network: Network, images: Batches, check: Callable[[], None] = lambda: None
) -> tuple[torch.Tensor, float]:
    """Answers `logits_NK` and their mean cross-entropy (nats), in evaluation mode.

    Args:
        check: called before each batch; may raise.
    """
    network.eval()
    loss = 0.0

    def parts() -> Iterator[torch.Tensor]:
        nonlocal loss
        for x_BCHW, y_B in images.in_order(BATCH):
            check()
            logits_BK = network(x_BCHW)
            loss += F.cross_entropy(logits_BK, y_B, reduction="sum").item()
            yield logits_BK

    with torch.inference_mode():
        logits_NK = gathered(parts(), len(images))
    return logits_NK, loss / len(images)


def correctness_and_loss(
    network: Network, images: Batches, check: Callable[[], None] = lambda: None
) -> tuple[np.ndarray, float]:
    """Whether each answer is right, bool `N`, and the mean cross-entropy (nats), in evaluation mode."""
    logits_NK, loss = logits_and_loss(network, images, check)
    return logits_NK.argmax(dim=1).cpu().numpy() == images.labels_N, loss
