"""Which steps of a reading hold something: images often have a blank border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linewise.images.mapped import Images, in_blocks
from linewise.reading.base import PADDING, Reading

FAINT = 25
"""Levels of 255 that a pixel may differ from the background and still count as blank."""
CHUNK = 1 << 20
"""Pixels looked at in one go, those of overlapping windows counted as often as they are read: 8 bytes each for
some moments, so that more of them leave the processor's cache."""


def inked_steps(images_NHWC: Images, readings: Sequence[Reading]) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last step that is not blank, from 1, for each image.

    A step is blank where every pixel is within 25 levels of the image's most frequent value (of each channel).
    Several readers go through an image side by side; a step is blank where it is for all of them. Where every step
    is blank, the first is 1 and the last T.

    Args:
        images_NHWC: uint8.
        readings: of the same number of steps.

    Returns:
        `first_N` and `last_N`, int64.
    """
    height, width = images_NHWC.shape[1:3]
    orders = [reading.order(height, width) for reading in readings]
    size = max(1, CHUNK // sum(order_TP.size for order_TP in orders))
    parts = [_inked(images_NHWC[i : i + size], orders) for i in range(0, len(images_NHWC), size)]
    inked_NT = np.concatenate(parts)
    num_steps = inked_NT.shape[1]
    first_N, last_N = 1 + inked_NT.argmax(axis=1), num_steps - inked_NT[:, ::-1].argmax(axis=1)
    return first_N, last_N


def common_background(images_NHWC: Images) -> list[int] | None:
    """The pixel of which blank steps consist: most frequent value of most images, per channel; None if no image
    consists of it by half.

    Args:
        images_NHWC: uint8.
    """
    background_NC = np.concatenate([_background(_flat(block)) for block in in_blocks(images_NHWC, CHUNK)])
    pixels_XC, counts_X = np.unique(background_NC, axis=0, return_counts=True)
    pixel_C = pixels_XC[counts_X.argmax()]
    half = any(((_flat(b) == pixel_C).all(axis=2).mean(axis=1) > 0.5).any() for b in in_blocks(images_NHWC, CHUNK))
    return pixel_C.tolist() if half else None


def leading_blanks(images_NHWC: Images, readings: Sequence[Reading], pixel_C: Sequence[int]) -> np.ndarray:
    """How many steps at the beginning of each image hold this pixel and nothing else, int64 `N`."""
    found = [_leading_blanks(block, readings, pixel_C) for block in in_blocks(images_NHWC, CHUNK)]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _flat(images_NHWC: np.ndarray) -> np.ndarray:
    """Images `NPC`."""
    return images_NHWC.reshape(len(images_NHWC), -1, images_NHWC.shape[3])


def _leading_blanks(images_NHWC: np.ndarray, readings: Sequence[Reading], pixel_C: Sequence[int]) -> np.ndarray:
    height, width = images_NHWC.shape[1:3]
    images_NPC = _flat(images_NHWC)
    other_NP = np.pad((images_NPC != np.asarray(pixel_C)).any(axis=2), ((0, 0), (0, 1)), constant_values=False)
    count_N, still_N = np.zeros(len(other_NP), dtype=np.int64), np.ones(len(other_NP), dtype=bool)
    for order in zip(*(reading.order(height, width) for reading in readings), strict=True):
        for order_P in order:
            still_N &= ~other_NP[:, order_P].any(axis=1)
        count_N += still_N
    return count_N


def _inked(images_NHWC: np.ndarray, orders: list[np.ndarray]) -> np.ndarray:
    images_NPC = _flat(images_NHWC)
    far_NPC = np.abs(images_NPC.astype(np.int16) - _background(images_NPC)[:, None]) > FAINT
    ink_NP = np.pad(far_NPC.any(axis=2), ((0, 0), (0, 1)))  # padding, at -1, is blank
    assert PADDING == -1
    return np.any([ink_NP[:, order_TP].any(axis=2) for order_TP in orders], axis=0)


def _background(images_NPC: np.ndarray) -> np.ndarray:
    """The most frequent value of each image and channel, `NC`; the smallest of several."""
    num_images, _, channels = images_NPC.shape
    place_NC = 256 * np.arange(num_images * channels).reshape(num_images, 1, channels)
    counts = np.bincount((images_NPC + place_NC).ravel(), minlength=256 * num_images * channels)
    return counts.reshape(num_images, channels, 256).argmax(axis=2).astype(np.int16)
