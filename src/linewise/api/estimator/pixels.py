"""From the arrays scikit-learn hands over to the uint8 images that networks are trained on."""

from __future__ import annotations

import math
import warnings
from contextlib import suppress
from typing import Any

import numpy as np

from linewise.foundations.errors import DataError
from linewise.images.sources.base import shape_text

Shape = tuple[int, int, int]
BYTES = (0.0, 255.0)
"""The range of uint8 images."""


class InputError(DataError, ValueError):
    """Arrays or settings that an estimator cannot use; a ValueError too, as scikit-learn's own are."""


def flat(X: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Images `NHW` or `NHWC` as a table `ND` and their shape; anything else as it is, and no shape.

    Raises:
        InputError: another number of dimensions or channels.
    """
    if not hasattr(X, "ndim") and isinstance(X, list | tuple) and len(X) and np.ndim(X[0]) >= 2:
        X = np.asarray(X)
    if getattr(X, "ndim", 2) <= 2:
        return X, None
    images = np.asarray(X)
    if (images.ndim == 4 and images.shape[3] not in (1, 3)) or images.ndim > 4:
        channels_first = images.ndim == 4 and images.shape[1] in (1, 3)
        raise InputError(
            f"images of shape {shape_text(images)}",
            where="X",
            expected="N×H×W grey, N×H×W×C with 1 channel or 3, or a table N×D",
            mend="X.transpose(0, 2, 3, 1)" if channels_first else "",
        )
    return images.reshape(len(images), math.prod(images.shape[1:])), images.shape[1:]


def shape_of(num_pixels: int, given: tuple[int, ...] | None, wanted: tuple[int, ...] | None) -> Shape:
    """Height, width and channels of images.

    Args:
        num_pixels: D, of a row of the table.
        given: the shape the array had; None for a table.
        wanted: the parameter `image_shape`, `(H, W)` or `(H, W, C)`, one of them -1 where it follows from the
            rest; None is the shape given, or for a table the square.

    Raises:
        InputError: the pixels cannot be laid out so.
    """
    if wanted is None and given is None:
        side = math.isqrt(num_pixels)
        if side * side != num_pixels:
            raise InputError(
                f"rows of {num_pixels:,} pixels, which make no square",
                where="X",
                expected="square images, or their shape",
                mend="image_shape=(height, width) or (height, width, 3); one may be -1",
            )
        return side, side, 1
    if wanted is None:
        assert given is not None
        return (given[0], given[1], given[2] if len(given) == 3 else 1)
    shape: list[int] = []
    with suppress(ValueError, TypeError):
        shape += np.empty(num_pixels, np.bool_).reshape(*wanted).shape
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise InputError(
            f"image_shape = {wanted!r} for images of {num_pixels:,} values",
            where="ReaderClassifier",
            expected="(height, width), or (height, width, channels) with 1 channel or 3",
        )
    return shape[0], shape[1], (*shape, 1)[2]


def range_of(X_ND: np.ndarray, wanted: tuple[float, float] | None) -> tuple[float, float]:
    """The pixel values that become 0 and 255: those asked for; for uint8 0 and 255; else the extremes.

    Raises:
        InputError: no range.
    """
    if wanted is None:
        return BYTES if X_ND.dtype == np.uint8 else (float(X_ND.min()), float(X_ND.max()))
    try:
        low, high = (float(value) for value in wanted)
    except (TypeError, ValueError):
        low = high = 0.0
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(
            f"pixel_range = {wanted!r}",
            where="ReaderClassifier",
            expected="the lowest and the highest pixel value, such as (0, 1)",
        )
    return low, high


def to_bytes(X_ND: np.ndarray, shape: Shape, pixel_range: tuple[float, float]) -> np.ndarray:
    """uint8 `NHWC`: 256 even steps over the range; what lies outside is cut to its ends."""
    if X_ND.dtype == np.uint8 and pixel_range == BYTES:
        return np.ascontiguousarray(X_ND).reshape(-1, *shape)
    low, high = pixel_range
    scale = 255 / (high - low) if high > low else 0.0
    out_ND = np.empty(X_ND.shape, np.uint8)
    for start in range(0, len(X_ND), 1024):  # in blocks: doubles of the whole would need eight times the memory
        block = (X_ND[start : start + 1024].astype(np.float64) - low) * scale
        out_ND[start : start + 1024] = np.rint(np.clip(block, 0, 255))
    return out_ND.reshape(-1, *shape)


def warn_of_another_scale(X_ND: np.ndarray, pixel_range: tuple[float, float]) -> None:
    """Tell where images have plainly another scale than those learned from, such as 0..1 for 0..255."""
    low, high = pixel_range
    least, most = float(X_ND.min()), float(X_ND.max())
    beyond = (least < low - (high - low)) or (most > high + (high - low))
    faint = pixel_range == BYTES and X_ND.dtype.kind == "f" and 0 < most <= 1
    if faint or beyond:
        warnings.warn(
            f"pixels from {least:g} to {most:g}, and the network learned from {low:g} to {high:g}: "
            "bring them to the same scale",
            UserWarning,
            stacklevel=4,
        )
