"""Arrays of any number type and layout become uint8 `NHWC`, by one rule for all splits of a data set."""

from __future__ import annotations

import numpy as np

from linewise.foundations.errors import DataError
from linewise.images.checking.findings import Findings
from linewise.images.sources.base import shape_text

DARK = 63
"""Images whose largest value is at most this are suspected to be on another scale."""


def to_images(arrays: dict[str, np.ndarray], findings: Findings, where: str) -> dict[str, np.ndarray]:
    """uint8 `NHWC` from arrays `NHW`, `NHWC` or `NCHW`.

    Whole numbers 0..255 stay; beyond that, up to 65535, they are divided by 257. Fractions 0..1 are multiplied by
    255; fractions 0..255 are rounded. The rule is chosen by the extreme values of all splits together.

    Args:
        arrays: by split.
        where: what errors call them.

    Raises:
        DataError: other shapes, NaN, values out of range.
    """
    shaped = {split: _layout(np.asarray(array), f"{where}, {split}") for split, array in arrays.items()}
    low, high, fractions = 0.0, 0.0, False
    for split, array in shaped.items():
        if array.dtype.kind not in "buif":
            raise DataError(f"images of type {array.dtype}", where=f"{where}, {split}", expected="numbers")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError("pixels that are NaN or infinite", where=f"{where}, {split}", expected="numbers")
        if array.size:
            low, high = min(low, float(array.min())), max(high, float(array.max()))
        fractions = fractions or array.dtype.kind in "fb"
    scale = _scale(low, high, fractions, where)
    if scale == 1 and high <= DARK:
        findings.warn(
            "dark",
            f"the largest pixel value is {high:g}: taken as 0..255, so the images are dark",
        )
    return {split: _scaled(array, scale) for split, array in shaped.items()}


def _scale(low: float, high: float, fractions: bool, where: str) -> float:
    if low < 0:
        raise DataError(
            f"pixel values from {low:g} to {high:g}",
            where=where,
            expected="whole numbers 0..255, or fractions 0..1",
            mend="undo the normalisation; Linewise normalises by itself",
        )
    if fractions and high <= 1:
        return 255
    if high <= 255:
        return 1
    if high <= 65535 and not fractions:
        return 1 / 257
    raise DataError(
        f"pixel values up to {high:g}", where=where, expected="whole numbers 0..255 or 0..65535, or fractions 0..1"
    )


def _scaled(array: np.ndarray, scale: float) -> np.ndarray:
    if array.dtype == np.uint8 and scale == 1:
        return np.ascontiguousarray(array)
    out = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), 1024):  # in blocks: floats of the whole would need eight times the memory
        block = array[start : start + 1024]
        out[start : start + 1024] = block if scale == 1 and block.dtype.kind in "iu" else np.rint(block * scale)
    return out


def _layout(array: np.ndarray, where: str) -> np.ndarray:
    if array.ndim in (3, 4) and 0 in array.shape[1:]:
        raise DataError(
            f"images of shape {shape_text(array)}, without a pixel",
            where=where,
            expected="at least one pixel each",
        )
    if array.ndim == 3:
        return array[..., None]
    if array.ndim == 4 and array.shape[3] in (1, 3):
        return array
    if array.ndim == 4 and array.shape[1] in (1, 3):
        return array.transpose(0, 2, 3, 1)
    mend = ""
    if array.ndim == 2 and (side := round(array.shape[1] ** 0.5)) ** 2 == array.shape[1]:
        mend = f"images.reshape(-1, {side}, {side})"
    if array.ndim == 4 and array.shape[3] == 4:
        mend = "leave out the alpha channel: images[..., :3]"
    raise DataError(
        f"images of shape {shape_text(array)}",
        where=where,
        expected="N×H×W grey, N×H×W×C or N×C×H×W, with 1 channel or 3",
        mend=mend,
    )
