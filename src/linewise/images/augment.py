"""Augmentation of whole batches, from a given generator.

Chance is drawn on the processor, wherever the images lie, so that a seed means the same on every device.

Each augmentation is a function of a uint8 batch, a strength and draws; `AUGMENTATIONS` names them. Pixels that
move in from outside repeat the border.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from linewise.foundations.errors import ConfigError
from linewise.foundations.registry import Registry


@final
@dataclass(frozen=True)
class Draws:
    """Chance for the images of a batch, of which a rank may hold a part: drawn for all, so that it is the same
    however many ranks share them.

    Args:
        num_images: of the whole batch.
        part: the images of it that are here.
    """

    generator: torch.Generator
    num_images: int
    part: slice

    def uniform(self) -> Tensor:
        """A number from 0 to below 1 for each image, `B`."""
        return torch.rand(self.num_images, generator=self.generator)[self.part]

    def whole(self, low: int, high: int, count: int = 1) -> Tensor:
        """Whole numbers from `low` to below `high`, `(count, B, 1)`."""
        return torch.randint(low, high, (count, self.num_images, 1), generator=self.generator)[:, self.part]


Augmentation = Callable[[Tensor, float, Draws], Tensor]
AUGMENTATIONS: Registry[tuple[Augmentation, float, str]] = Registry("augmentation")
"""name → (function, largest strength, meaning of the strength)"""


def augment(
    x_BHWC: Tensor,
    strengths: dict[str, float],
    generator: torch.Generator,
    *,
    num_images: int | None = None,
    part: slice = slice(None),
) -> Tensor:
    """Apply augmentations in the order given.

    Args:
        x_BHWC: uint8 images.
        strengths: strength by name, such as `{"shift": 2, "rotate": 10}`.
        generator: where all randomness comes from.
        num_images: of the whole batch, where `x_BHWC` is a part of one; None: it is whole.
        part: which images of the batch it holds.

    Returns:
        uint8 images of the same shape.
    """
    draws = Draws(generator, len(x_BHWC) if num_images is None else num_images, part)
    for name, strength in strengths.items():
        x_BHWC = AUGMENTATIONS[name][0](x_BHWC, strength, draws)
    return x_BHWC


def check_strengths(strengths: dict[str, float]) -> None:
    """Refuse unknown names and strengths out of range.

    Raises:
        ConfigError: naming the augmentation.
    """
    for name, strength in strengths.items():
        _, most, meaning = AUGMENTATIONS[name]
        if not (math.isfinite(strength) and 0 < strength <= most):
            raise ConfigError(
                f"{name}={strength:g}", where="--augment", expected=f"above 0 and at most {most:g}: {meaning}"
            )


def shift(x_BHWC: Tensor, strength: float, draws: Draws) -> Tensor:
    """Move each image by up to `strength` whole pixels, vertically and horizontally; its edge is drawn out.

    Whole rows are copied: each begins at some pixel of an image that is wider by its edges.
    """
    b, h, w, c = x_BHWC.shape
    most, device = int(strength), x_BHWC.device
    by_2B = draws.whole(-most, most + 1, 2).to(device)
    left, right = (x_BHWC[:, :, edge].expand(-1, -1, most, -1) for edge in (slice(1), slice(w - 1, w)))
    wide, width = torch.cat([left, x_BHWC, right], 2), w + 2 * most
    rows_BH = (torch.arange(h, device=device) + by_2B[0]).clamp(0, h - 1)
    first_BH = (rows_BH + h * torch.arange(b, device=device)[:, None]) * width + by_2B[1] + most
    from_every_pixel = wide.view(-1).as_strided((b * h * width - w + 1, w * c), (c, 1))
    return from_every_pixel.index_select(0, first_BH.flatten()).view(b, h, w, c)


def flip(x_BHWC: Tensor, strength: float, draws: Draws) -> Tensor:
    """Mirror left and right, each image with probability `strength`."""
    chosen_B = (draws.uniform() < strength).to(x_BHWC.device)
    return torch.where(chosen_B[:, None, None, None], x_BHWC.flip(2), x_BHWC)


def rotate(x_BHWC: Tensor, strength: float, draws: Draws) -> Tensor:
    """Turn each image about its middle by up to `strength` degrees."""
    angle_B = (draws.uniform() * 2 - 1) * math.radians(strength)
    return _warp(x_BHWC, torch.cos(angle_B), torch.sin(angle_B))


def scale(x_BHWC: Tensor, strength: float, draws: Draws) -> Tensor:
    """Magnify each image by a factor between 1 - `strength` and 1 + `strength`."""
    factor_B = 1 + (draws.uniform() * 2 - 1) * strength
    return _warp(x_BHWC, 1 / factor_B, torch.zeros_like(factor_B))


def erase(x_BHWC: Tensor, strength: float, draws: Draws) -> Tensor:
    """Black out a square of `strength` times the shorter side at a random place (DeVries & Taylor 2017)."""
    h, w = x_BHWC.shape[1:3]
    side = max(1, round(strength * min(h, w)))
    (top_B,) = draws.whole(0, h - side + 1)
    (left_B,) = draws.whole(0, w - side + 1)
    rows_BH = (torch.arange(h) >= top_B) & (torch.arange(h) < top_B + side)
    columns_BW = (torch.arange(w) >= left_B) & (torch.arange(w) < left_B + side)
    hidden_BHW1 = (rows_BH[:, :, None] & columns_BW[:, None, :]).unsqueeze(3)
    return x_BHWC.masked_fill(hidden_BHW1.to(x_BHWC.device), 0)


def _warp(x_BHWC: Tensor, cos_B: Tensor, sin_B: Tensor) -> Tensor:
    """Sample through [[cos, -sin], [sin, cos]] in pixels about the middle, bilinearly."""
    b, h, w, _ = x_BHWC.shape
    zero_B = torch.zeros_like(cos_B)
    rows = [torch.stack([cos_B, -sin_B * h / w, zero_B], 1), torch.stack([sin_B * w / h, cos_B, zero_B], 1)]
    x_BCHW = x_BHWC.permute(0, 3, 1, 2).float()
    grid = F.affine_grid(torch.stack(rows, 1).to(x_BCHW.device), [b, 1, h, w], align_corners=False)
    warped = F.grid_sample(x_BCHW, grid, padding_mode="border", align_corners=False)
    return warped.round_().to(torch.uint8).permute(0, 2, 3, 1)


AUGMENTATIONS.add("shift", (shift, 64, "whole pixels"))
AUGMENTATIONS.add("rotate", (rotate, 180, "degrees"))
AUGMENTATIONS.add("scale", (scale, 0.9, "share of the size"))
AUGMENTATIONS.add("flip", (flip, 1, "probability of a left-right mirror image"))
AUGMENTATIONS.add("erase", (erase, 0.9, "share of the shorter side"))
