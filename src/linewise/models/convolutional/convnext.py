"""ConvNeXt (Liu et al. 2022), small: its block and order of things, two stages for small images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from linewise.models.layers import DropPath, MLPBlock, check_channels, check_patches, depth_rates
from linewise.models.network import NETWORKS, Entry, Features, Network

SHRINK = 2


@final
class ConvNeXt(Network):
    """A patch stem with norm, two stages of blocks, the mean over the map, norm, classifier.

    A block is x + γ·MLP(norm(depthwise 7×7(x))). The paper's stem of 4×4 patches is 2×2 here, for small images.

    Args:
        channels: of the first stage; the second has twice as many.
        mlp: hidden units of the first stage's MLPs; 0 for the paper's four times `channels`.
        layers: blocks per stage.
        patch: side of the stem's patches, pixels.
        layer_scale: γ at the start.
        drop_path: rate of stochastic depth in the last block.

    Raises:
        ConfigError: twice the patch does not divide the images.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        channels: int = 32,
        mlp: int = 0,
        layers: int = 2,
        patch: int = 2,
        layer_scale: float = 1e-6,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.step = patch * SHRINK
        check_patches("convnext", img_size, self.step, merged=SHRINK)
        mlp = mlp or 4 * channels
        self.stem = nn.Conv2d(in_chans, channels, patch, stride=patch)
        self.stem_norm = nn.LayerNorm(channels, eps=1e-6)
        rates = depth_rates(drop_path, 2 * layers)
        self.first = nn.Sequential(*(_Block(channels, mlp, layer_scale, r) for r in rates[:layers]))
        self.down_norm = nn.LayerNorm(channels, eps=1e-6)
        self.down = nn.Conv2d(channels, 2 * channels, SHRINK, stride=SHRINK)
        self.second = nn.Sequential(*(_Block(2 * channels, 2 * mlp, layer_scale, r) for r in rates[layers:]))
        self.norm = nn.LayerNorm(2 * channels, eps=1e-6)
        self.num_features = 2 * channels
        self.head = nn.Linear(self.num_features, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """The last map, channels last, `x_BHWF`."""
        check_channels("convnext", x_BCHW, self.stem.in_channels)
        check_patches("convnext", (x_BCHW.shape[2], x_BCHW.shape[3]), self.step, merged=SHRINK)
        x_BHWC = self.first(self.stem_norm(self.stem(x_BCHW).permute(0, 2, 3, 1)))
        x_BCHW = self.down(self.down_norm(x_BHWC).permute(0, 3, 1, 2))
        return self.second(x_BCHW.permute(0, 2, 3, 1))

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = self.norm(features.mean(dim=(1, 2)))
        return x_BF if pre_logits else self.head(x_BF)


class _Block(nn.Module):
    """Channels last: depthwise 7×7, norm, MLP with GELU, γ, residual."""

    def __init__(self, channels: int, mlp: int, layer_scale: float, drop_path: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = MLPBlock(channels, mlp)
        self.gamma = nn.Parameter(torch.full((channels,), layer_scale))
        self.drop_path = DropPath(drop_path)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        y_BHWC = self.depthwise(x_BHWC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return x_BHWC + self.drop_path(self.gamma * self.mlp(self.norm(y_BHWC)))


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    return {"channels": max(1, round(width)), "mlp": max(1, round(4 * width))}


NETWORKS.add(
    "convnext", Entry("convolutional", ConvNeXt, "small ConvNeXt: depthwise 7×7 in two stages", _scale, "mlp")
)
