"""Which rows of an image an answer rests on: each is blanked in turn (after Zeiler & Fergus 2014). No torch."""

from __future__ import annotations

import numpy as np

MOST_BANDS = 64
"""Rows blanked one by one; of a taller image, so many bands of rows."""


def background(image_HWC: np.ndarray, mean_C: list[float]) -> np.ndarray:
    """The pixel that stands for nothing, uint8 `C`: the most frequent one where half of the image consists of it,
    as in drawings; else the mean of the training images, as in photos.

    Args:
        image_HWC: uint8.
        mean_C: of the training images, as a fraction of 255.

    >>> background(np.zeros((2, 2, 1), np.uint8), [0.5]).tolist()
    [0]
    """
    pixels_PC = image_HWC.reshape(-1, image_HWC.shape[2])
    packed_P = pixels_PC.astype(np.int64) @ (256 ** np.arange(pixels_PC.shape[1]))
    _, first_X, counts_X = np.unique(packed_P, return_index=True, return_counts=True)
    most = int(counts_X.argmax())
    if 2 * counts_X[most] >= len(pixels_PC):
        return pixels_PC[first_X[most]]
    return (255 * np.array(mean_C)).round().astype(np.uint8)


def bands(height: int) -> np.ndarray:
    """The band in which each row lies, `H`, from 0: one row each, or up to 64 bands that differ by at most a row.

    >>> bands(3).tolist()
    [0, 1, 2]
    """
    return np.arange(height) * min(height, MOST_BANDS) // height


def blanked(image_HWC: np.ndarray, pixel_C: np.ndarray) -> np.ndarray:
    """The image once per band, with this band blank, uint8 `NHWC`."""
    band_H = bands(len(image_HWC))
    rows_NH = band_H == np.arange(band_H[-1] + 1)[:, None]
    return np.where(rows_NH[:, :, None, None], pixel_C, image_HWC)


def drops(probability: float, blanked_N: np.ndarray, height: int) -> np.ndarray:
    """How much of the answer's probability each row of pixels holds up, `H`, from -1 to 1.

    Args:
        probability: of the answer on the whole image.
        blanked_N: of the same answer on each image of `blanked`.
    """
    return (probability - blanked_N)[bands(height)]
