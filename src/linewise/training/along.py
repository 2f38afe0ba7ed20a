"""A trained reader's answers after each step, on many images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from linewise.foundations.arrays import Steps
from linewise.images.batches import Batches
from linewise.models import Network
from linewise.reading.ink import inked_steps
from linewise.training.evaluation import BATCH, gathered

MOST_STEPS = 256
MOST_NUMBERS = 1 << 25
"""States kept at once, as far as the batch size can see to it."""


def kept_steps(num_steps: int, most: int = MOST_STEPS) -> np.ndarray:
    """The steps that are kept, from 1: all, or `most` of them, evenly spaced, the first and the last included.

    >>> kept_steps(10, most=4).tolist()
    [1, 4, 7, 10]
    """
    return np.unique(np.linspace(1, num_steps, min(most, num_steps)).round().astype(np.int64))


def probabilities_along(
    network: Network, images: Batches, most: int = MOST_STEPS
) -> tuple[np.ndarray, np.ndarray]:
    """Class probabilities `NTK` after the steps `kept_T`, float32, in evaluation mode.

    Raises:
        ConfigError: the network has no answer before its end.
    """
    kept_T = kept_steps(num_steps(network), most)
    return gathered(_along(network, images, kept_T), len(images)).cpu().numpy(), kept_T


def steps_of(network: Network, images: Batches, answers_NK: np.ndarray) -> Steps:
    """Answers after each step and where the ink is.

    Args:
        answers_NK: the network's probabilities at the end, which the last step repeats: sums of another order may
            round otherwise.

    Raises:
        ConfigError: the network has no answer before its end.
    """
    kept_T = kept_steps(num_steps(network))
    answers_NT = np.empty((len(images), len(kept_T)), np.min_scalar_type(answers_NK.shape[1] - 1))
    sure_NT = np.empty(answers_NT.shape, np.float32)
    at = 0
    for p_BTK in _along(network, images, kept_T):  # see `gathered`
        sure_BT, answers_BT = (x.cpu().numpy() for x in p_BTK.max(dim=2))
        answers_NT[at : at + len(sure_BT)], sure_NT[at : at + len(sure_BT)] = answers_BT, sure_BT
        at += len(sure_BT)
    answers_NT[:, -1], sure_NT[:, -1] = answers_NK.argmax(axis=1), answers_NK.max(axis=1)
    return Steps(answers_NT, sure_NT, kept_T, *inked_steps(images.images_NHWC, network.readings))


def num_steps(network: Network) -> int:
    """T, the same for all its readers.

    Raises:
        ConfigError: the network has no answer before its end.
    """
    if not network.answers_each_step:
        raise network.no_steps()
    return network.readings[0].num_steps(*network.config.img_size)


def batch_size(network: Network) -> int:
    """Images answered together: as many as elsewhere, fewer where their states would take much memory."""
    return max(1, min(BATCH, MOST_NUMBERS // (num_steps(network) * network.num_features)))


def _along(network: Network, images: Batches, kept_T: np.ndarray) -> Iterator[Tensor]:
    network.eval()
    columns_T = torch.from_numpy(kept_T - 1)
    with torch.inference_mode():
        for x_BCHW, _ in images.in_order(batch_size(network)):
            yield torch.softmax(network.forward_steps(x_BCHW)[:, columns_T], dim=2)
