"""A small modern convolutional network: 3×3 convolutions, batch norm, pooling, one linear classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch.nn.functional as F
from torch import Tensor, nn

from linewise.models.layers import check_channels
from linewise.models.network import NETWORKS, Entry, Features, Network


@final
class ConvolutionalNetwork(Network):
    """Three stages of convolution, max pooling (the first two), batch norm and ReLU; the classifier sees the
    largest value of each channel of the last feature map, so that any image size works.

    Args:
        stem: channels of the first stage.
        middle: channels of the second stage.
        last: channels of the third stage.
        dropout: fraction of features dropped before the classifier.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        stem: int = 16,
        middle: int = 48,
        last: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.stages = nn.Sequential(
            _Stage(in_chans, stem, halve=True), _Stage(stem, middle, halve=True), _Stage(middle, last, halve=False)
        )
        self.dropout = nn.Dropout(dropout)
        self.num_features = last
        self.head = nn.Linear(last, num_classes)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """Feature maps of a quarter of the image's height and width, `x_BFHW`."""
        check_channels("cnn", x_BCHW, self.in_chans)
        return self.stages(x_BCHW)

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = self.dropout(features.amax(dim=(2, 3)))
        return x_BF if pre_logits else self.head(x_BF)


class _Stage(nn.Module):
    """3×3 convolution, 2×2 max pooling where asked, batch norm, ReLU.

    Pooling goes before the norm: the same function of the image up to the sign of the norm's weight, at a
    quarter of the element-wise work. A side of one pixel stays one pixel.
    """

    def __init__(self, channels_in: int, channels_out: int, *, halve: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2, ceil_mode=True) if halve else nn.Identity()
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return F.relu(self.norm(self.pool(self.conv(x_BCHW))))


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    return {"stem": _whole(width), "middle": _whole(3 * width), "last": max(1, round(8 * width))}


def _whole(channels: float) -> int:
    """Multiples of 8 where that changes little: processors compute 8 or 16 channels at once."""
    return 8 * round(channels / 8) if channels >= 12 else max(1, round(channels))


NETWORKS.add(
    "cnn",
    Entry(
        family="convolutional",
        build=ConvolutionalNetwork,
        summary="small modern CNN: three 3×3 stages with batch norm and pooling",
        scale=_scale,
        fine="last",
    ),
)
