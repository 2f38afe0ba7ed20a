"""LeNet-5 (LeCun et al. 1998), as it is usually built today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.models.layers import check_channels, check_maps, check_side
from linewise.models.network import NETWORKS, Entry, Features, Network

SMALLEST = 12


@final
class LeNet5(Network):
    """Two 5×5 convolutions with tanh and 2×2 means, then two fully connected layers and the classifier.

    The first convolution is padded, so that 28×28 pixels become the paper's 6×28×28, 16×10×10 and 16×5×5 maps.
    Two things differ from 1998: the second convolution sees all maps, and the classifier is linear.

    Args:
        first, second: maps of the convolutions.
        third, fourth: units of the fully connected layers.
        dropout: fraction of features dropped before the classifier.

    Raises:
        ConfigError: an image side below 12 pixels.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        first: int = 6,
        second: int = 16,
        third: int = 120,
        fourth: int = 84,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_side("lenet5", img_size, SMALLEST)
        self.conv1 = nn.Conv2d(in_chans, first, 5, padding=2)
        self.conv2 = nn.Conv2d(first, second, 5)
        rows, columns = ((side // 2 - 4) // 2 for side in img_size)
        self.flat = (second, rows, columns)
        self.fc1 = nn.Linear(second * rows * columns, third)
        self.fc2 = nn.Linear(third, fourth)
        self.dropout = nn.Dropout(dropout)
        self.num_features = fourth
        self.head = nn.Linear(fourth, num_classes)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """The last fully connected layer, `x_BF`."""
        check_channels("lenet5", x_BCHW, self.conv1.in_channels)
        x_BCHW = F.avg_pool2d(torch.tanh(self.conv1(x_BCHW)), 2)
        x_BCHW = F.avg_pool2d(torch.tanh(self.conv2(x_BCHW)), 2)
        check_maps("lenet5", x_BCHW, self.flat)
        return torch.tanh(self.fc2(torch.tanh(self.fc1(x_BCHW.flatten(1)))))

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = self.dropout(features)
        return x_BF if pre_logits else self.head(x_BF)


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    """In the paper's proportions 6 : 16 : 120 : 84; width 6 is the paper's."""
    shares = {"first": 1.0, "second": 16 / 6, "third": 20.0, "fourth": 14.0}
    return {name: max(1, round(width * share)) for name, share in shares.items()}


NETWORKS.add(
    "lenet5", Entry("convolutional", LeNet5, "LeNet-5: two 5×5 convolutions, three linear layers", _scale, "third")
)
