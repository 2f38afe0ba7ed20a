"""What a reading is: which pixels each step holds, in which order.

A reading turns an image into a sequence, as a page becomes a sequence of lines. It has no weights. All it says
is `order(H, W)`: for every step the pixels it holds. Reading and its inverse follow from that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import final

import numpy as np
import torch
from torch import Tensor

PADDING = -1


class Reading(ABC):
    """An order in which the pixels of an image are read, and how many of them make a step.

    Readings are values: two of the same name are equal.
    """

    name: str

    @abstractmethod
    def order(self, height: int, width: int) -> np.ndarray:
        """Pixels by step, `order_TP`: pixel (row, column) is `row·W + column`, -1 stands for padding (zeros).

        Every pixel is in at least one step; windows that overlap hold some pixels more than once.
        """

    @abstractmethod
    def size(self, height: int, width: int) -> tuple[int, int]:
        """T and P, the shape of `order`, without making it."""

    def num_steps(self, height: int, width: int) -> int:
        """T, the number of steps for an image of this size."""
        return self.size(height, width)[0]

    def num_features(self, channels: int, height: int, width: int) -> int:
        """D, the numbers in one step: its pixels times the channels, the channels of a pixel side by side."""
        return self.size(height, width)[1] * channels

    def first_seen(self, height: int, width: int) -> np.ndarray:
        """At which step, from 1, each pixel is first read, `HW`."""
        order_TP = self.order(height, width)
        steps_TP = np.broadcast_to(np.arange(1, len(order_TP) + 1)[:, None], order_TP.shape)
        seen_L = np.full(height * width + 1, len(order_TP))
        np.minimum.at(seen_L, order_TP, steps_TP)  # padding, at -1, falls into the one too many
        return seen_L[:-1].reshape(height, width)

    def read(self, x_BCHW: Tensor) -> Tensor:
        """Images as sequences, `x_BTD`."""
        channels, height, width = x_BCHW.shape[1:]
        if channels * height * width == 0:
            raise ValueError(f"an image of shape {tuple(x_BCHW.shape[1:])} has no pixels")
        padded, order_TP = _order_on(self, height, width, x_BCHW.device)
        x_BCP = x_BCHW.flatten(2)
        if padded:
            x_BCP = torch.nn.functional.pad(x_BCP, (0, 1))  # index -1 finds the zero
        x_BCTP = x_BCP[:, :, order_TP]
        return x_BCTP.permute(0, 2, 3, 1).flatten(2)

    def unread(self, x_BTD: Tensor, channels: int, height: int, width: int) -> Tensor:
        """The inverse of `read`: sequences as images, `x_BCHW`. A pixel read twice is taken from its last step."""
        x_BLC = x_BTD.unflatten(2, (-1, channels)).flatten(1, 2)
        return x_BLC[:, _on(_places(self, height, width), x_BTD)].transpose(1, 2).unflatten(2, (height, width))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Reading({self.name!r})"


@final
class Reversed(Reading):
    """Another reading from its last step to its first; what a step holds stays as it is."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.name = f"{reading.name}-reversed"

    def order(self, height: int, width: int) -> np.ndarray:
        return self.reading.order(height, width)[::-1].copy()

    def size(self, height: int, width: int) -> tuple[int, int]:
        return self.reading.size(height, width)


@final
class Outwards(Reading):
    """Another reading from its middle step outwards, the step before and the step after it together.

    T becomes ⌈T/2⌉, and a step holds twice as much; of an odd number, the middle comes alone, filled up with
    zeros. What is in the middle of a picture tends to tell most, and its border least. One step before and one
    after it in turn was tried as well: 1 to 2 points fewer on MNIST (benchmarks/LOG.md).

    >>> from linewise.reading.lines import Rows
    >>> Outwards(Rows()).order(5, 1).tolist()
    [[2, -1], [1, 3], [0, 4]]
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.name = f"{reading.name}-outwards"

    def order(self, height: int, width: int) -> np.ndarray:
        order_TP = self.reading.order(height, width)
        half, odd = divmod(len(order_TP), 2)
        both_TP = np.concatenate([order_TP[:half][::-1], order_TP[half + odd :]], axis=1)
        middle_P = np.pad(order_TP[half : half + odd], ((0, 0), (0, order_TP.shape[1])), constant_values=PADDING)
        return np.concatenate([middle_P, both_TP])

    def size(self, height: int, width: int) -> tuple[int, int]:
        num_steps, size = self.reading.size(height, width)
        return -(-num_steps // 2), 2 * size


def _on(index: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(index).to(like.device)


@lru_cache(maxsize=256)
def _order(reading: Reading, height: int, width: int) -> np.ndarray:
    order_TP = reading.order(height, width).astype(np.int64)
    order_TP.setflags(write=False)
    return order_TP.copy()


@lru_cache(maxsize=256)
def _order_on(reading: Reading, height: int, width: int, device: torch.device) -> tuple[bool, Tensor]:
    """Whether there is padding, and the order on a device, padding as one pixel too many. It is kept there: a step
    that is recorded as a CUDA graph may not copy it anew."""
    order_TP = _order(reading, height, width)
    padding_TP = order_TP == PADDING
    with torch.inference_mode(False):  # it may be used in training later
        order = torch.from_numpy(np.where(padding_TP, height * width, order_TP)).to(device)
    return bool(padding_TP.any()), order


@lru_cache(maxsize=256)
def _places(reading: Reading, height: int, width: int) -> np.ndarray:
    """Where in the flattened sequence each pixel is found."""
    order_L = _order(reading, height, width).ravel()
    places_P = np.full(height * width, -1)
    held = np.flatnonzero(order_L != PADDING)
    places_P[order_L[held]] = held
    return places_P
