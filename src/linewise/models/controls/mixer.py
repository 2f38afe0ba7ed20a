"""MLP-Mixer (Tolstikhin et al. 2021), small: patches and channels mixed by MLPs in turn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from torch import Tensor, nn

from linewise.models.layers import MLPBlock, PatchStem
from linewise.models.network import NETWORKS, Entry, Features, Network


@final
class Mixer(Network):
    """A patch stem, blocks of token mixing and channel mixing with the norm before, the mean over patches.

    Args:
        channels: C.
        mlp: hidden units of the channel MLPs; 0 for twice `channels`.
        tokens: hidden units of the token MLPs; 0 for `channels`.
        layers: blocks.
        patch: side of the patches, pixels.

    Raises:
        ConfigError: the patch does not divide the images.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        channels: int = 48,
        mlp: int = 0,
        tokens: int = 0,
        layers: int = 4,
        patch: int = 4,
    ) -> None:
        super().__init__()
        self.stem = PatchStem("mixer", in_chans, channels, img_size, patch)
        self.blocks = nn.Sequential(
            *(
                _Block(self.stem.num_patches, channels, tokens or channels, mlp or 2 * channels)
                for _ in range(layers)
            )
        )
        self.norm = nn.LayerNorm(channels)
        self.num_features = channels
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """Patches after the last norm, `x_BTF`."""
        return self.norm(self.blocks(self.stem(x_BCHW)))

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = features.mean(dim=1)
        return x_BF if pre_logits else self.head(x_BF)


class _Block(nn.Module):
    def __init__(self, num_patches: int, channels: int, tokens: int, mlp: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.tokens = MLPBlock(num_patches, tokens)
        self.norm2 = nn.LayerNorm(channels)
        self.channels = MLPBlock(channels, mlp)

    def forward(self, x_BTC: Tensor) -> Tensor:
        x_BTC = x_BTC + self.tokens(self.norm1(x_BTC).transpose(1, 2)).transpose(1, 2)
        return x_BTC + self.channels(self.norm2(x_BTC))


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    channels = max(1, round(width))
    return {"channels": channels, "mlp": max(1, round(2 * width)), "tokens": channels}


NETWORKS.add("mixer", Entry("control", Mixer, "small MLP-Mixer on 4×4 patches", _scale, "mlp"))
