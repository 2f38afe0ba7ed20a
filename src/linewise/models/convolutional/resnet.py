"""ResNet in its form for small images (He et al. 2016, section 4.2): 6n + 2 layers, three stages."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, final

import torch.nn.functional as F
from torch import Tensor, nn

from linewise.kernels import Beside
from linewise.models.layers import check_channels
from linewise.models.network import NETWORKS, Entry, Features, Network


@final
class ResNet(Network):
    """A 3×3 convolution, three stages of residual blocks, the mean of each map.

    Shortcuts that change the shape are 1×1 convolutions with batch norm (the paper's option B).

    Args:
        channels: maps of the first stage; the second has twice, the third `last` as many.
        last: maps of the third stage; 0 for four times `channels`.
        blocks: n, residual blocks per stage; 1 makes ResNet-8, 3 ResNet-20.
        dropout: fraction of features dropped before the classifier.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        channels: int = 16,
        last: int = 0,
        blocks: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [channels, channels, 2 * channels, last or 4 * channels]
        self.stem = nn.Conv2d(in_chans, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.stages = nn.Sequential(
            *(
                _Block(before if i == 0 else after, after, 2 if i == 0 and stage else 1)
                for stage, (before, after) in enumerate(pairwise(widths))
                for i in range(blocks)
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.num_features = widths[-1]
        self.head = nn.Linear(self.num_features, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """Feature maps of a quarter of the image's height and width, `x_BFHW`."""
        check_channels("resnet", x_BCHW, self.stem.in_channels)
        return self.stages(F.relu(self.norm(self.stem(x_BCHW))))

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = self.dropout(features.mean(dim=(2, 3)))
        return x_BF if pre_logits else self.head(x_BF)


class _Block(Beside):
    """Two 3×3 convolutions with batch norm around a shortcut that does not wait for them."""

    beside = ("path", "shortcut")

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        same = stride == 1 and channels_in == channels_out
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False), nn.BatchNorm2d(channels_out)
            )
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return F.relu(self.path(x_BCHW) + self.shortcut(x_BCHW))


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    return {"channels": max(1, round(width)), "last": max(1, round(4 * width))}


NETWORKS.add(
    "resnet", Entry("convolutional", ResNet, "ResNet for small images, n blocks per stage", _scale, "last")
)
