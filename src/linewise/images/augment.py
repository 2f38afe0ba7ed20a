"""Augmentation of whole batches, from a given generator.

Chance is drawn on the processor, wherever the images lie, so that a seed means the same on every device.

Each augmentation is a function of a uint8 batch, a strength and a generator; `AUGMENTATIONS` names them. Pixels
that move in from outside repeat the border.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from linewise.foundations.errors import ConfigError
from linewise.foundations.registry import Registry

Augmentation = Callable[[Tensor, float, torch.Generator], Tensor]
AUGMENTATIONS: Registry[tuple[Augmentation, float, str]] = Registry("augmentation")
"""name → (function, largest strength, meaning of the strength)"""


def augment(x_BHWC: Tensor, strengths: dict[str, float], generator: torch.Generator) -> Tensor:
    """Apply augmentations in the order given.

    Args:
        x_BHWC: uint8 images.
        strengths: strength by name, such as `{"shift": 2, "rotate": 10}`.
        generator: where all randomness comes from.

    Returns:
        uint8 images of the same shape.
    """
    for name, strength in strengths.items():
        x_BHWC = AUGMENTATIONS[name][0](x_BHWC, strength, generator)
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


def shift(x_BHWC: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Move each image by up to `strength` whole pixels, vertically and horizontally."""
    b, h, w, _ = x_BHWC.shape
    most, device = int(strength), x_BHWC.device
    by_2B = torch.randint(-most, most + 1, (2, b, 1), generator=generator).to(device)
    rows_BH = (torch.arange(h, device=device) + by_2B[0]).clamp(0, h - 1)
    columns_BW = (torch.arange(w, device=device) + by_2B[1]).clamp(0, w - 1)
    image_B = torch.arange(b, device=device)
    return x_BHWC[image_B[:, None, None], rows_BH[:, :, None], columns_BW[:, None, :]]


def flip(x_BHWC: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Mirror left and right, each image with probability `strength`."""
    chosen_B = (torch.rand(len(x_BHWC), generator=generator) < strength).to(x_BHWC.device)
    return torch.where(chosen_B[:, None, None, None], x_BHWC.flip(2), x_BHWC)


def rotate(x_BHWC: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Turn each image about its middle by up to `strength` degrees."""
    angle_B = (torch.rand(len(x_BHWC), generator=generator) * 2 - 1) * math.radians(strength)
    return _warp(x_BHWC, torch.cos(angle_B), torch.sin(angle_B))


def scale(x_BHWC: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Magnify each image by a factor between 1 - `strength` and 1 + `strength`."""
    factor_B = 1 + (torch.rand(len(x_BHWC), generator=generator) * 2 - 1) * strength
    return _warp(x_BHWC, 1 / factor_B, torch.zeros_like(factor_B))


def erase(x_BHWC: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Black out a square of `strength` times the shorter side at a random place (DeVries & Taylor 2017)."""
    b, h, w, _ = x_BHWC.shape
    side = max(1, round(strength * min(h, w)))
    top_B = torch.randint(0, h - side + 1, (b, 1), generator=generator)
    left_B = torch.randint(0, w - side + 1, (b, 1), generator=generator)
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
