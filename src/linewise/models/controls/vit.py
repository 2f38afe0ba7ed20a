"""A small Vision Transformer (Dosovitskiy et al. 2021) in the plain form of Beyer et al. 2022: mean instead of a
class token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn

from linewise.foundations.errors import ConfigError
from linewise.kernels import Linear
from linewise.models.layers import DropPath, MLPBlock, PatchStem, depth_rates
from linewise.models.network import NETWORKS, Entry, Features, Network


@final
class ViT(Network):
    """Patches with learned positions, blocks of attention and MLP with the norm before, the mean over patches.

    Args:
        channels: C, a multiple of `heads`.
        mlp: hidden units of the MLPs; 0 for twice `channels`.
        layers: blocks.
        heads: attention heads.
        patch: side of the patches, pixels.
        drop_path: rate of stochastic depth in the last block.

    Raises:
        ConfigError: the patch does not divide the images, or the heads not the channels.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int = 1,
        img_size: tuple[int, int] = (28, 28),
        channels: int = 48,
        mlp: int = 0,
        layers: int = 4,
        heads: int = 4,
        patch: int = 4,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        if channels % heads:
            raise ConfigError(f"channels = {channels}", where="vit", expected=f"a multiple of its {heads} heads")
        self.stem = PatchStem("vit", in_chans, channels, img_size, patch)
        self.position = nn.Parameter(torch.empty(1, self.stem.num_patches, channels))
        self.blocks = nn.Sequential(
            *(_Block(channels, mlp or 2 * channels, heads, rate) for rate in depth_rates(drop_path, layers))
        )
        self.norm = nn.LayerNorm(channels)
        self.num_features = channels
        self.head = nn.Linear(channels, num_classes)
        nn.init.trunc_normal_(self.position, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """Patches after the last norm, `x_BTF`."""
        return self.norm(self.blocks(self.stem(x_BCHW) + self.position))

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = features.mean(dim=1)
        return x_BF if pre_logits else self.head(x_BF)


class _Block(nn.Module):
    def __init__(self, channels: int, mlp: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = Linear(channels, 3 * channels)
        self.attend = Attend()
        self.union = Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLPBlock(channels, mlp)
        self.drop_path = DropPath(drop_path)

    def forward(self, x_BTC: Tensor) -> Tensor:
        qkv = self.qkv(self.norm1(x_BTC)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        read_BTC = self.attend(qkv[0], qkv[1], qkv[2]).transpose(1, 2).flatten(2)
        x_BTC = x_BTC + self.drop_path(self.union(read_BTC))
        return x_BTC + self.drop_path(self.mlp(self.norm2(x_BTC)))


@final
class Attend(nn.Module):
    """softmax(q kᵀ / √d) v over `BNTd`, N heads; written out, so that its cost can be counted."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return torch.softmax(q @ k.transpose(2, 3) * q.shape[3] ** -0.5, dim=3) @ v


def _scale(width: float, given: Mapping[str, Any]) -> dict[str, int]:
    heads = int(given.get("heads", 4))
    return {"channels": heads * max(1, round(width / heads)), "mlp": max(1, round(2 * width))}


NETWORKS.add("vit", Entry("attention", ViT, "small Vision Transformer on 4×4 patches", _scale, "mlp"))
