"""Rows from top to bottom: one step is one row of pixels, as one line of a text."""

from __future__ import annotations

from typing import final

from torch import Tensor

from linewise.reading.base import READINGS, Reading


@final
class Rows(Reading):
    """T = H steps of D = W·C numbers.

    >>> import torch
    >>> Rows().read(torch.zeros(2, 1, 28, 20)).shape
    torch.Size([2, 28, 20])
    """

    def num_steps(self, height: int, width: int) -> int:
        return height

    def num_features(self, channels: int, height: int, width: int) -> int:
        return width * channels

    def read(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW.permute(0, 2, 3, 1).flatten(2)

    def unread(self, x_BTD: Tensor, channels: int, height: int, width: int) -> Tensor:
        return x_BTD.unflatten(2, (width, channels)).permute(0, 3, 1, 2)


READINGS.add("rows", Rows())
