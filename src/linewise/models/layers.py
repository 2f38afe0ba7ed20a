"""Small layers that several networks share."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linewise.foundations.errors import ConfigError
from linewise.kernels import Linear


@final
class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): a residual branch is left out for single images while training.

    Args:
        rate: probability of leaving it out, from 0 to below 1.
        batch_dim: which dimension counts the images.
    """

    def __init__(self, rate: float, batch_dim: int = 0) -> None:
        super().__init__()
        self.rate, self.batch_dim = rate, batch_dim

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        shape = [1] * x.ndim
        shape[self.batch_dim] = x.shape[self.batch_dim]
        kept = torch.rand(shape, device=x.device, dtype=x.dtype) >= self.rate
        return x * kept / (1 - self.rate)


def depth_rates(rate: float, layers: int) -> list[float]:
    """Drop-path rates that grow linearly from 0 in the first block to `rate` in the last.

    >>> depth_rates(0.5, 3)
    [0.0, 0.25, 0.5]
    """
    return [rate * i / (layers - 1) for i in range(layers)] if layers > 1 else [rate]


@final
class MLPBlock(nn.Module):
    """Linear, GELU, linear over the last dimension."""

    def __init__(self, num_inputs: int, num_hidden: int) -> None:
        super().__init__()
        self.fc1 = Linear(num_inputs, num_hidden)
        self.fc2 = Linear(num_hidden, num_inputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


def check_patches(where: str, img_size: tuple[int, int], patch: int, *, merged: int = 1) -> tuple[int, int]:
    """Rows and columns of the grid of patches.

    Args:
        patch: side of what must divide the image, pixels.
        merged: how many of the stem's patches make one, side by side, in later stages.

    Raises:
        ConfigError: the patch does not divide the image.
    """
    height, width = img_size
    if height % patch or width % patch:
        sides = range(1 if merged > 1 else 2, min(height, width) // merged + 1)
        fits = [p for p in sides if height % (p * merged) == 0 and width % (p * merged) == 0]
        raise ConfigError(
            f"patches of {patch}×{patch} pixels do not divide images of {height}×{width}",
            where=where,
            expected=f"height and width that are multiples of {patch}",
            mend=f"--size {_up(height, patch)}x{_up(width, patch)} scales the images"
            + (f"; patch={' or '.join(map(str, fits[:4]))} divides them" if fits else ""),
        )
    return height // patch, width // patch


@final
class PatchStem(nn.Module):
    """Patches of the image as a sequence of C numbers each, for networks that know one grid only.

    Args:
        where: the network's name, for errors.
        in_chans: channels of the images.
        channels: C.
        img_size: height and width, pixels.
        patch: side of the patches, pixels.

    Raises:
        ConfigError: the patch does not divide the images, or later, images of another size.
    """

    def __init__(self, where: str, in_chans: int, channels: int, img_size: tuple[int, int], patch: int) -> None:
        super().__init__()
        rows, columns = check_patches(where, img_size, patch)
        self.where, self.shape, self.num_patches = where, (in_chans, *img_size), rows * columns
        self.proj = nn.Conv2d(in_chans, channels, patch, stride=patch)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """One step per patch, line by line, `x_BTC`."""
        if x_BCHW.shape[1:] != self.shape:
            raise ConfigError(
                f"images of shape {tuple(x_BCHW.shape[1:])}",
                where=self.where,
                expected=f"(channels, height, width) = {self.shape}: it knows one grid",
            )
        return self.proj(x_BCHW).flatten(2).transpose(1, 2)


def check_channels(where: str, x_BCHW: Tensor, in_chans: int) -> None:
    """Refuse what is not a batch of images, and images of another number of channels.

    Raises:
        ConfigError: with both numbers.
    """
    if x_BCHW.ndim != 4:
        raise ConfigError(f"a tensor of shape {tuple(x_BCHW.shape)}", where=where, expected="images, BCHW")
    if x_BCHW.shape[1] != in_chans:
        raise ConfigError(f"images of {x_BCHW.shape[1]} channels", where=where, expected=f"{in_chans} channels")


def _up(side: int, patch: int) -> int:
    return -(-side // patch) * patch


def check_side(where: str, img_size: tuple[int, int], smallest: int) -> None:
    """Refuse images of which nothing would be left after the convolutions.

    Raises:
        ConfigError: a side below `smallest` pixels.
    """
    if min(img_size) < smallest:
        raise ConfigError(
            f"images of {img_size[0]}×{img_size[1]} pixels",
            where=where,
            expected=f"sides of at least {smallest} pixels",
            mend="--size scales the images; `cnn` takes any size",
        )


def check_maps(where: str, x_BCHW: Tensor, shape: tuple[int, int, int]) -> None:
    """Refuse images of another size than the classifier was made for.

    Raises:
        ConfigError: with the shapes of the maps.
    """
    if x_BCHW.shape[1:] != shape:
        raise ConfigError(
            f"maps of shape {tuple(x_BCHW.shape[1:])} after the convolutions",
            where=where,
            expected=f"{shape}, as for the images it was made for",
        )
