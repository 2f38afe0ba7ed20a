"""Which height, width and channels the networks see, decided from the images."""

from __future__ import annotations

from collections import Counter

import numpy as np

from linewise.foundations.amounts import count
from linewise.images.checking.findings import Findings
from linewise.images.options import ImageOptions
from linewise.images.preprocessing import Geometry

MAX_COMMON, MAX_MIXED = 224, 64
"""Longer side that is chosen without being asked for: where all images have one size, and where sizes differ."""


def settle(sizes: Counter[tuple[int, int]], coloured: bool, options: ImageOptions, findings: Findings) -> Geometry:
    """The shape all images are brought to.

    Args:
        sizes: training images per (height, width).
        coloured: whether any image has colour.
    """
    height, width = options.size or _usual_size(sizes, findings)
    channels = {"auto": 3 if coloured else 1, "grey": 1, "colour": 3}[options.channels]
    return Geometry(height=height, width=width, channels=channels, fit=options.fit)


def _usual_size(sizes: Counter[tuple[int, int]], findings: Findings) -> tuple[int, int]:
    heights, widths = np.array(list(sizes)).T
    weights = np.array(list(sizes.values()))
    height, width = int(np.median(np.repeat(heights, weights))), int(np.median(np.repeat(widths, weights)))
    usual = sizes[height, width] * 2 > sizes.total()
    longest = MAX_COMMON if len(sizes) == 1 else MAX_MIXED
    shrunk = max(height, width) > longest
    if shrunk or not usual:  # multiples of four can be halved twice, and cut into patches
        scale = min(1, longest / max(height, width))
        height, width = (max(4, 4 * round(side * scale / 4)) for side in (height, width))
    if len(sizes) > 1:
        findings.warn(
            "sizes",
            f"images of {count(len(sizes), 'size')}, from {min(heights)}×{min(widths)} "
            f"to {max(heights)}×{max(widths)}: brought to {height}×{width}; choose another with --size",
        )
    elif shrunk:
        findings.warn(
            "sizes", f"images of {heights[0]}×{widths[0]}: brought to {height}×{width}; choose another with --size"
        )
    return height, width
