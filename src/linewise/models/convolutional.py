"""A small modern convolutional network: 3×3 convolutions, batch norm, pooling, one linear classifier."""

from __future__ import annotations

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from linewise.models.network import NETWORKS, Entry, Features, Network


@final
class ConvolutionalNetwork(Network):
    """Three stages of convolution, batch norm, ReLU and max pooling; the last feature map is averaged over a
    coarse grid, so that any image size works.

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
        self.stages = nn.Sequential(
            _stage(in_chans, stem), _Halve(), _stage(stem, middle), _Halve(), _stage(middle, last)
        )
        self.dropout = nn.Dropout(dropout)
        self.num_features = last
        self.head = nn.Linear(last, num_classes)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """Feature maps of a quarter of the image's height and width, `x_BFHW`."""
        return self.stages(x_BCHW)

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = self.dropout(features.amax(dim=(2, 3)))
        return x_BF if pre_logits else self.head(x_BF)


class _Halve(nn.Module):
    """2×2 max pooling; a side of one pixel stays one pixel."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return F.max_pool2d(x_BCHW, 2, ceil_mode=True)


def _stage(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU()
    )


def _scale(width: float) -> dict[str, int]:
    return {"stem": max(1, round(width)), "middle": max(1, round(3 * width)), "last": max(1, round(8 * width))}


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
