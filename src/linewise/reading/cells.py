"""Pixels or patches, visited along a path: snake, spiral, Hilbert curve, Z-order, a random permutation."""

from __future__ import annotations

from typing import final

import numpy as np

from linewise.reading.base import PADDING, Reading
from linewise.reading.orders import Order


@final
class Cells(Reading):
    """T = ⌈H/p⌉·⌈W/p⌉ steps, each a patch of p×p pixels of C numbers.

    Where p does not divide a side, the last patches are filled up with zeros.

    Args:
        name: of the reading.
        order: the path over the grid of patches.
        patch: p, pixels on a side; 1 reads pixel by pixel.

    >>> from linewise.reading.orders import snake
    >>> import torch
    >>> Cells("patches4-snake", snake, patch=4).read(torch.zeros(2, 3, 28, 20)).shape
    torch.Size([2, 35, 48])
    """

    def __init__(self, name: str, order: Order, patch: int = 1) -> None:
        self.name, self.path, self.patch = name, order, patch

    def size(self, height: int, width: int) -> tuple[int, int]:
        return -(-height // self.patch) * -(-width // self.patch), self.patch**2

    def order(self, height: int, width: int) -> np.ndarray:
        p, rows, columns = self.patch, -(-height // self.patch), -(-width // self.patch)
        cells_HW = np.arange(height * width).reshape(height, width)
        missing = ((0, rows * p - height), (0, columns * p - width))
        padded = np.pad(cells_HW, missing, constant_values=PADDING)
        patches_TP = padded.reshape(rows, p, columns, p).transpose(0, 2, 1, 3).reshape(rows * columns, p * p)
        return patches_TP[self.path(rows, columns)]
