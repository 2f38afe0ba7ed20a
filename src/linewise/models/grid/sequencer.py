"""Sequencer: blocks of token mixing by recurrent sweeps and channel mixing by an MLP (Tatsunami & Taki 2022).

Built from the paper and the facts of the authors' public code. Drop-path grows linearly in depth, as the authors
have it. Names of weights are timm's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from linewise.foundations.errors import ConfigError, unknown_name
from linewise.models.grid.mixing import Pooling, Sweep1D, Sweeps2D
from linewise.models.layers import DropPath, MLPBlock, check_channels, check_patches, depth_rates
from linewise.models.network import Features, Network

MIXINGS = ("sweeps", "sweep1d", "pooling", "identity")


@dataclass(frozen=True)
class Stage:
    """One stage of a Sequencer.

    Attributes:
        layers: blocks.
        patch: side of the patches that are merged on entering the stage.
        channels: C.
        hidden: D, recurrent units per direction.
        mlp: hidden units of the MLP.
    """

    layers: int
    patch: int
    channels: int
    hidden: int
    mlp: int


@dataclass(frozen=True)
class Mixing:
    """How tokens are mixed; see `mixing.Sweeps2D`."""

    kind: str = "sweeps"
    cell: str = "lstm"
    directions: int = 2
    union: str = "concat"
    projection: str = "linear"

    def make(self, stage: Stage) -> nn.Module:
        """The module for one block."""
        if self.kind not in MIXINGS:
            raise unknown_name("mixing", self.kind, MIXINGS)
        if self.kind == "sweeps":
            options = {"cell": self.cell, "union": self.union, "projection": self.projection}
            return Sweeps2D(stage.channels, stage.hidden, directions=self.directions, **options)
        if self.kind == "sweep1d":
            return Sweep1D(stage.channels, stage.hidden, cell=self.cell)
        return Pooling() if self.kind == "pooling" else nn.Identity()


@final
class Sequencer(Network):
    """A Sequencer of any stages; `variants` has the published and the small ones.

    Works on any image whose sides are multiples of the product of the stages' patches, not only `img_size`.

    Args:
        stages: from the image to the classifier.
        mixing: how tokens are mixed.
        drop_path: rate of stochastic depth in the last block; it grows linearly from 0 in the first.

    Raises:
        ConfigError: the patches do not divide the images.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_chans: int,
        img_size: tuple[int, int],
        stages: tuple[Stage, ...],
        mixing: Mixing,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_chans = in_chans
        self.step = math.prod(stage.patch for stage in stages)
        check_patches("Sequencer", img_size, self.step, merged=self.step // stages[0].patch)
        first, last = stages[0], stages[-1]
        self.stem = nn.Module()
        self.stem.proj = nn.Conv2d(in_chans, first.channels, first.patch, stride=first.patch)
        depth = sum(stage.layers for stage in stages)
        rates = iter(depth_rates(drop_path, depth))
        self.stages = nn.ModuleList()
        before = None
        for stage in stages:
            self.stages.append(_StageModule(before, stage, mixing, [next(rates) for _ in range(stage.layers)]))
            before = stage
        self.norm = nn.LayerNorm(last.channels, eps=1e-6)
        self.num_features = last.channels
        self.head = nn.Linear(last.channels, num_classes)
        if not self.norm.weight.is_meta:
            self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """As published; the recurrent layers have done theirs."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if "mlp" in name:
                    nn.init.normal_(module.bias, std=1e-6)
                else:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                _lecun_normal(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        assert isinstance(self.head, nn.Linear)
        nn.init.zeros_(self.head.weight)

    def forward_features(self, x_BCHW: Tensor) -> Features:
        """The last stage's grid after the norm, `x_BHWC`."""
        check_channels("Sequencer", x_BCHW, self.in_chans)
        if x_BCHW.shape[2] % self.step or x_BCHW.shape[3] % self.step:
            raise ConfigError(
                f"images of {x_BCHW.shape[2]}×{x_BCHW.shape[3]} pixels",
                where="Sequencer",
                expected=f"height and width that are multiples of {self.step}, the product of its patches",
            )
        x_BHWC = self.stem.proj(x_BCHW).permute(0, 2, 3, 1)  # pyright: ignore[reportCallIssue]
        for stage in self.stages:
            x_BHWC = stage(x_BHWC)
        return self.norm(x_BHWC)

    def forward_head(self, features: Features, pre_logits: bool = False) -> Tensor:
        assert isinstance(features, Tensor)
        x_BF = features.mean(dim=(1, 2))
        return x_BF if pre_logits else self.head(x_BF)


class _StageModule(nn.Module):
    def __init__(self, before: Stage | None, stage: Stage, mixing: Mixing, drop_path: list[float]) -> None:
        super().__init__()
        if before is not None:
            self.downsample = nn.Module()
            self.downsample.down = nn.Conv2d(before.channels, stage.channels, stage.patch, stride=stage.patch)
        self.first = before is None
        self.blocks = nn.Sequential(*(_Block(stage, mixing, rate) for rate in drop_path))

    def forward(self, x_BHWC: Tensor) -> Tensor:
        if not self.first:
            x_BHWC = self.downsample.down(x_BHWC.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # pyright: ignore[reportCallIssue]
        return self.blocks(x_BHWC)


class _Block(nn.Module):
    """x + mixing(norm(x)), then x + MLP(norm(x))."""

    def __init__(self, stage: Stage, mixing: Mixing, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(stage.channels, eps=1e-6)
        self.rnn_tokens = mixing.make(stage)
        self.norm2 = nn.LayerNorm(stage.channels, eps=1e-6)
        self.mlp_channels = MLPBlock(stage.channels, stage.mlp)
        self.drop_path = DropPath(drop_path)

    def forward(self, x_BHWC: Tensor) -> Tensor:
        x_BHWC = x_BHWC + self.drop_path(self.rnn_tokens(self.norm1(x_BHWC)))
        return x_BHWC + self.drop_path(self.mlp_channels(self.norm2(x_BHWC)))


def _lecun_normal(weight: Tensor) -> None:
    """Truncated normal of variance 1 / fan-in (Klambauer et al. 2017), the truncation made up for."""
    std = math.sqrt(1 / weight[0].numel()) / 0.87962566103423978
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)
