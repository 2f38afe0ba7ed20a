"""The convolutional network of tutorials: two convolutions, two linear layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch.nn.functional as F
from torch import Tensor, nn

from linewise.models.layers import check_channels, check_maps, check_side
from linewise.models.network import NETWORKS, Entry, Features, Network

SMALLEST = 4


@final
class PlainCNN(Network):
    """Two 3×3 convolutions, each with 2×2 max pooling and ReLU, then a linear layer with ReLU and the
    classifier.

    As MNIST guides build it; it has no norm and knows one image size. Pooling goes before ReLU, which gives the
    same numbers with a quarter of the work.

    Args:
        first, second: channels of the convolutions.
        third: units of the linear layer.
        dropout: fraction of its units dropped before the classifier.

    Raises:
        ConfigError: an image side below 4 pixels.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        first: int = 16,
        second: int = 32,
        third: int = 48,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_side("plaincnn", img_size, SMALLEST)
        self.conv1 = nn.Conv2d(in_chans, first, 3, padding=1)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1)
        rows, columns = (side // 4 for side in img_size)
        self.flat = (second, rows, columns)
        self.fc = nn.Linear(second * rows * columns, third)
        self.dropout = nn.Dropout(dropout)
        self.num_features = third
        self.head = nn.Linear(third, num_classes)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """The linear layer's units, `x_BF`."""
        check_channels("plaincnn", x_BCHW, self.conv1.in_channels)
        x_BCHW = F.relu(F.max_pool2d(self.conv1(x_BCHW), 2))
        x_BCHW = F.relu(F.max_pool2d(self.conv2(x_BCHW), 2))
        check_maps("plaincnn", x_BCHW, self.flat)
        return F.relu(self.fc(x_BCHW.flatten(1)))

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = self.dropout(features)
        return x_BF if pre_logits else self.head(x_BF)


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    """In the proportions 1 : 2 : 3 of the guides' 16, 32 and 48."""
    return {name: max(1, round(width * share)) for name, share in (("first", 1), ("second", 2), ("third", 3))}


NETWORKS.add(
    "plaincnn",
    Entry("convolutional", PlainCNN, "CNN of tutorials: two 3×3 convolutions, two linear layers", _scale, "third"),
)
