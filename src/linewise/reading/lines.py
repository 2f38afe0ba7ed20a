"""Rows and columns, one or several to a step: the image as a page of lines.

A window of several lines with a stride lets a step see the strokes that cross it, in fewer steps: 5 rows every
second row halve the work and cost a GRU a quarter of a point on MNIST (docs/results/networks).
"""

from __future__ import annotations

from typing import final

import numpy as np
from torch import Tensor

from linewise.reading.base import PADDING, Reading


@final
class Rows(Reading):
    """T = ⌈(H - lines) / stride⌉ + 1 steps (at least 1), each of `lines` rows of W·C numbers.

    The last window is filled up with zeros where it leaves the image.

    Args:
        lines: rows in a step.
        stride: rows from one step to the next; at most `lines`, so that every row is read.

    >>> import torch
    >>> Rows().read(torch.zeros(2, 1, 28, 20)).shape
    torch.Size([2, 28, 20])
    >>> Rows(lines=5, stride=2).read(torch.zeros(2, 1, 28, 20)).shape
    torch.Size([2, 13, 100])
    """

    def __init__(self, lines: int = 1, stride: int = 1) -> None:
        self.lines, self.stride = lines, stride
        self.name = _name("rows", lines, stride)

    def order(self, height: int, width: int) -> np.ndarray:
        cells_HW = np.arange(height * width).reshape(height, width)
        return _windows(cells_HW, self.lines, self.stride)

    def size(self, height: int, width: int) -> tuple[int, int]:
        return _num_windows(height, self.lines, self.stride), self.lines * width

    def read(self, x_BCHW: Tensor) -> Tensor:
        if self.lines > 1:
            return super().read(x_BCHW)
        return x_BCHW.permute(0, 2, 3, 1).flatten(2)  # the same without a gather


@final
class Columns(Reading):
    """T = ⌈(W - lines) / stride⌉ + 1 steps (at least 1), left to right, each of `lines` columns of H·C numbers.

    >>> import torch
    >>> Columns().read(torch.zeros(2, 1, 28, 20)).shape
    torch.Size([2, 20, 28])
    """

    def __init__(self, lines: int = 1, stride: int = 1) -> None:
        self.lines, self.stride = lines, stride
        self.name = _name("columns", lines, stride)

    def order(self, height: int, width: int) -> np.ndarray:
        cells_HW = np.arange(height * width).reshape(height, width)
        return _windows(cells_HW.T, self.lines, self.stride)

    def size(self, height: int, width: int) -> tuple[int, int]:
        return _num_windows(width, self.lines, self.stride), self.lines * height

    def read(self, x_BCHW: Tensor) -> Tensor:
        if self.lines > 1:
            return super().read(x_BCHW)
        return x_BCHW.permute(0, 3, 2, 1).flatten(2)


def _num_windows(num_lines: int, size: int, stride: int) -> int:
    return 1 + max(0, -(-(num_lines - size) // stride))


def _windows(lines_HW: np.ndarray, size: int, stride: int) -> np.ndarray:
    """Each window's lines one after the other, `order_TP`."""
    num_lines = len(lines_HW)
    num_steps = _num_windows(num_lines, size, stride)
    missing = (num_steps - 1) * stride + size - num_lines
    padded = np.pad(lines_HW, ((0, missing), (0, 0)), constant_values=PADDING)
    return np.stack([padded[i * stride : i * stride + size].ravel() for i in range(num_steps)])


def _name(lines: str, size: int, stride: int) -> str:
    return lines + (str(size) if size > 1 else "") + (f"-stride{stride}" if stride > 1 else "")
