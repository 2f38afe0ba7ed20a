"""Drawings as a network trained on written digits expects them: scaled, centred and as thick as those were.

MNIST's digits were scaled into a box of 20×20 pixels, keeping their proportions, and laid into 28×28 with their
centre of mass in the middle (LeCun et al. 1998). Its pens were of one kind; a mouse on a large pad draws
lines of any thickness, which is brought to theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from linewise.images.preprocessing import Preprocessing

if TYPE_CHECKING:
    from PIL.Image import Image

FAINT = 0.15
"""Ink is what differs from the paper by more than this share of the strongest difference."""
BLANK = 16
"""Of 255: an image that differs from its paper by less is blank."""
FINE = 8
"""Lines are thickened and thinned on a grid this many times finer than the network's pixels."""


@final
@dataclass(frozen=True)
class Pad:
    """How the digits of a data set lie in their images.

    Attributes:
        box: the longer side of a digit, as a fraction of the image.
        by_mass: its centre of mass is in the middle of the image; else the middle of its box.
        pen: thickness of its lines, as a fraction of the image, as `thickness` measures it.
    """

    box: float
    by_mass: bool
    pen: float


MNIST = Pad(box=20 / 28, by_mass=True, pen=0.083)
PADS = {"digits": Pad(box=1.0, by_mass=False, pen=0.2)}


def prepare_drawing(image: Image, preprocessing: Preprocessing, data: str = "mnist") -> np.ndarray:
    """A drawing as the network sees it.

    Args:
        image: ink of any colour on paper of any other; what is transparent is paper.
        preprocessing: the network's. With three channels nothing is scaled or thinned: photographs are not
            drawings.
        data: what it was trained on; `digits` lie differently in their images than MNIST's, all others as those.

    Returns:
        uint8 `HWC`; blank where nothing is drawn.
    """
    if preprocessing.channels == 3:
        return preprocessing.apply(image)
    pad = PADS.get(data, MNIST)
    height, width = preprocessing.height, preprocessing.width
    ink_HW = _lay(_ink(image), pad, height, width)
    page_HW = np.round(255 * (ink_HW if preprocessing.is_dark else 1 - ink_HW)).astype(np.uint8)
    return page_HW[:, :, None]


def thickness(ink_HW: np.ndarray) -> float:
    """The mean thickness of lines, in pixels: four times the mean distance of their points from the paper.

    Across a line of thickness w, distances from its edge rise from 0 to w/2 and fall again: w/4 in the mean.
    """
    inside_HW = np.pad(ink_HW > 0.5, 1)
    return float(4 * (_distances(inside_HW)[inside_HW] - 0.5).mean()) if inside_HW.any() else 0.0


def _distances(inside_HW: np.ndarray) -> np.ndarray:
    """How far each pixel inside is from the nearest outside."""
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(inside_HW))


def _ink(image: Image) -> np.ndarray:
    """How much ink there is in each pixel, from 0 to 1, cut to where there is some; empty where there is none."""
    from PIL import Image as Pictures

    layered = image.convert("RGBA")
    paper = Pictures.new("RGBA", layered.size, "white" if _is_dark(layered) else "black")
    grey_HW = np.asarray(Pictures.alpha_composite(paper, layered).convert("L")).astype(np.float32)
    border = np.concatenate([grey_HW[0], grey_HW[-1], grey_HW[:, 0], grey_HW[:, -1]])
    ink_HW = np.abs(grey_HW - np.median(border))
    if ink_HW.max() < BLANK:
        return np.zeros((0, 0), np.float32)
    ink_HW = np.where(ink_HW < FAINT * ink_HW.max(), 0, ink_HW / ink_HW.max())
    rows, columns = np.flatnonzero(ink_HW.any(axis=1)), np.flatnonzero(ink_HW.any(axis=0))
    return ink_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _is_dark(layered: Image) -> bool:
    """Whether what is not transparent is dark in the mean, so that paper under it is light."""
    pixels = np.asarray(layered).reshape(-1, 4)
    opaque = pixels[pixels[:, 3] > 127]
    return len(opaque) == 0 or float(opaque[:, :3].mean()) < 128


def _lay(ink_HW: np.ndarray, pad: Pad, height: int, width: int) -> np.ndarray:
    """Ink scaled, of the pad's thickness, in its place."""
    from PIL import Image as Pictures
    from scipy.ndimage import center_of_mass, shift

    if not ink_HW.size:
        return np.zeros((height, width), np.float32)
    side = min(height, width)
    scale = FINE * side * pad.box / max(ink_HW.shape)
    size = [max(1, round(n * scale)) for n in ink_HW.shape]
    fine = Pictures.fromarray(ink_HW).resize((size[1], size[0]), Pictures.Resampling.BOX)
    ink_HW = _as_thick(np.asarray(fine), FINE * side * pad.pen)
    shrunk = [n * FINE * side * pad.box / max(ink_HW.shape) for n in ink_HW.shape]
    sheet_HW = np.zeros((FINE * height, FINE * width), np.float32)
    again = Pictures.fromarray(ink_HW).resize((max(1, round(shrunk[1])), max(1, round(shrunk[0]))))
    drawn_HW = np.asarray(again)[: sheet_HW.shape[0], : sheet_HW.shape[1]]
    top, left = ((n - m) // 2 for n, m in zip(sheet_HW.shape, drawn_HW.shape, strict=True))
    sheet_HW[top : top + drawn_HW.shape[0], left : left + drawn_HW.shape[1]] = drawn_HW
    if pad.by_mass:
        middle = center_of_mass(sheet_HW)
        by = [(n - 1) / 2 - m for n, m in zip(sheet_HW.shape, middle, strict=True)]
        sheet_HW = shift(sheet_HW, by, order=1)
    return np.clip(sheet_HW.reshape(height, FINE, width, FINE).mean(axis=(1, 3)), 0, 1)


def _as_thick(ink_HW: np.ndarray, pen: float) -> np.ndarray:
    """Lines made thinner or thicker, to a pen's width in pixels; the image grows or shrinks with them."""
    half = (pen - thickness(ink_HW)) / 2
    margin = max(1, round(abs(half)) + 1)
    solid_HW = np.pad(ink_HW > 0.5, margin)
    if abs(half) < 0.15 * pen or not solid_HW.any():
        return ink_HW
    if half > 0:
        solid_HW = _distances(~solid_HW) <= half
    else:
        thinner_HW = _distances(solid_HW) > -half
        solid_HW = thinner_HW if thinner_HW.any() else solid_HW
    rows, columns = np.flatnonzero(solid_HW.any(axis=1)), np.flatnonzero(solid_HW.any(axis=0))
    return solid_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
