"""Controls: what can be had without reading and without convolving."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor, nn

from linewise.foundations.errors import ConfigError
from linewise.models.network import NETWORKS, Entry, Features, Network, check_number


@final
class Majority(Network):
    """Answers with the class frequencies of the training labels, whatever it sees. No trained parameter."""

    log_prior_K: Tensor

    def __init__(self, *, num_classes: int, in_chans: int = 1, img_size: tuple[int, int] = (28, 28)) -> None:
        super().__init__()
        self.num_features = 1
        self.head = nn.Identity()
        self.register_buffer("log_prior_K", torch.zeros(num_classes))

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """One zero per image, `x_B1`: nothing was seen."""
        return x_BCHW.new_zeros(x_BCHW.shape[0], 1)

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        return features if pre_logits else features + self.log_prior_K

    def reset_classifier(self, num_classes: int) -> None:
        check_number(self.config.name, "num_classes", num_classes)
        self.log_prior_K = torch.zeros(num_classes)
        self.config = self.config.model_copy(update={"num_classes": num_classes})

    def observe_labels(self, labels_N: Tensor) -> None:
        counts_K = torch.bincount(labels_N, minlength=len(self.log_prior_K)).float()
        self.log_prior_K.copy_(torch.log((counts_K + 1) / (counts_K + 1).sum()))


class _Flat(Network):
    """Base of the controls that look at all pixels at once."""

    def __init__(self, num_classes: int, in_chans: int, img_size: tuple[int, int], hidden: list[int]) -> None:
        super().__init__()
        self.shape = (in_chans, *img_size)
        self.num_pixels = in_chans * img_size[0] * img_size[1]
        widths = [self.num_pixels, *hidden]
        self.body = nn.Sequential(*(m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())))
        self.dropout = nn.Dropout(0.0)
        self.num_features = widths[-1]
        self.head = nn.Linear(self.num_features, num_classes)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """The last hidden layer, `x_BF` (for `linear`, the pixels)."""
        x_BD = x_BCHW.flatten(1)
        if x_BCHW.shape[1:] != self.shape:
            raise ConfigError(
                f"images of shape {tuple(x_BCHW.shape[1:])}",
                where=type(self).__name__,
                expected=f"(channels, height, width) = {self.shape}",
            )
        return self.body(x_BD)

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = self.dropout(features)
        return x_BF if pre_logits else self.head(x_BF)


@final
class LinearClassifier(_Flat):
    """Multinomial logistic regression on the pixels."""

    def __init__(self, *, num_classes: int, in_chans: int = 1, img_size: tuple[int, int] = (28, 28)) -> None:
        super().__init__(num_classes, in_chans, img_size, [])


@final
class MLP(_Flat):
    """Fully connected layers with ReLU.

    Args:
        hidden: units per hidden layer.
        layers: hidden layers.
        dropout: fraction of features dropped before the classifier.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        hidden: int = 128,
        layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(num_classes, in_chans, img_size, [hidden] * layers)
        self.dropout = nn.Dropout(dropout)


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    return {"hidden": max(1, round(width))}


NETWORKS.add("majority", Entry("control", Majority, "always the most frequent class"))
NETWORKS.add("linear", Entry("control", LinearClassifier, "logistic regression on the pixels"))
NETWORKS.add("mlp", Entry("control", MLP, "fully connected network on the pixels", _scale))
