"""Columns from left to right: one step is one column of pixels."""

from __future__ import annotations

from typing import final

from torch import Tensor

from linewise.reading.base import READINGS, Reading


@final
class Columns(Reading):
    """T = W steps of D = H·C numbers.

    >>> import torch
    >>> Columns().read(torch.zeros(2, 1, 28, 20)).shape
    torch.Size([2, 20, 28])
    """

    def num_steps(self, height: int, width: int) -> int:
        return width

    def num_features(self, channels: int, height: int, width: int) -> int:
        return height * channels

    def read(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW.permute(0, 3, 2, 1).flatten(2)

    def unread(self, x_BTD: Tensor, channels: int, height: int, width: int) -> Tensor:
        return x_BTD.unflatten(2, (height, channels)).permute(0, 3, 2, 1)


READINGS.add("columns", Columns())
