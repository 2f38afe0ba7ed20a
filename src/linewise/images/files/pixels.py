"""Pixels of any kind become 8-bit grey or colour, then the shape that is asked for."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps
from PIL.Image import Resampling, Transpose

from linewise.images.options import Fit

GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


STRIP_PIXELS = 2**20
"""Pixels that are made plain at a time: whole images would be there several times, some as 64-bit numbers."""
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""EXIF orientation → what shows the image upright."""


def upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; damaged EXIF is taken as none. Decodes the image."""
    image.load()
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def plain_upright(image: Image.Image) -> Image.Image:
    """`plain` and `upright` in one, with never more than twice the image in memory. Decodes the image.

    Raises:
        ValueError: pixels without a known scale. OSError: the image is cut off or damaged.
    """
    image.load()
    turn = _turn(image)
    if _is_plain(image):
        return image if turn is None else image.transpose(turn)
    width, height = image.size
    rows = max(1, STRIP_PIXELS // width)
    if rows >= height:
        whole = plain(image)
        return whole if turn is None else whole.transpose(turn)
    out = None
    for top in range(0, height, rows):
        strip = plain(image.crop((0, top, width, min(height, top + rows))))
        place = _place(turn, top, height - top - strip.height)
        strip = strip if turn is None else strip.transpose(turn)
        if out is None:
            sides = turn in (Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)
            out = Image.new(strip.mode, (height, width) if sides else (width, height))
        out.paste(strip, place)
    assert out is not None
    return out


def _turn(image: Image.Image) -> Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(0x0112, 1))
    except Exception:  # whatever Pillow makes of damaged EXIF
        return None


def _place(turn: Transpose | None, above: int, below: int) -> tuple[int, int]:
    """Where a strip with so many rows above and below it goes once it is turned."""
    if turn is None or turn == Transpose.FLIP_LEFT_RIGHT:
        return 0, above
    if turn in (Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM):
        return 0, below
    return (above if turn in (Transpose.TRANSPOSE, Transpose.ROTATE_90) else below), 0


def _is_plain(image: Image.Image) -> bool:
    return image.mode in ("L", "RGB") and "transparency" not in image.info


def plain(image: Image.Image) -> Image.Image:
    """Mode `L` or `RGB`, 8 bit, without alpha.

    16-bit pixels are scaled from 0..65535, where Pillow's own conversion cuts them off at 255. What is transparent
    is shown on white, so that colour hidden under alpha 0 does not matter.

    Raises:
        ValueError: pixels without a known scale.
    """
    mode = image.mode
    if _is_plain(image):
        return image
    if mode.startswith("I;16") or mode == "I":
        value = np.asarray(image).astype(np.int64)
        if value.min() < 0 or value.max() > 65535:
            raise ValueError("holds whole numbers beyond 0..65535")
        return Image.fromarray(((value * 255 + 32767) // 65535).astype(np.uint8))
    if mode == "F":
        value = np.asarray(image)
        if not (np.isfinite(value).all() and value.min() >= 0 and value.max() <= 1):
            raise ValueError("holds fractions beyond 0..1")
        return Image.fromarray(np.rint(value * 255).astype(np.uint8))
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        grey = mode in ("1", "L", "LA", "La")
        layer = image.convert("RGBA")
        on_white = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
        return on_white.getchannel("R") if grey else on_white.convert("RGB")
    return image.convert("L" if mode == "1" else "RGB")


def bring(image: Image.Image, height: int, width: int, channels: int, fit: Fit) -> np.ndarray:
    """An upright image of any mode as uint8 `HWC`."""
    image = plain(image)
    wanted = "L" if channels == 1 else "RGB"
    if image.mode != wanted:
        image = image.convert(wanted)
    if image.size != (width, height):
        image = _fitted(image, height, width, fit)
    array = np.asarray(image)
    return array[:, :, None] if channels == 1 else array


def _fitted(image: Image.Image, height: int, width: int, fit: Fit) -> Image.Image:
    if fit == "stretch":
        return image.resize((width, height), Resampling.BILINEAR)
    if fit == "crop":
        return ImageOps.fit(image, (width, height), Resampling.BILINEAR)
    scale = min(width / image.width, height / image.height)
    inner = (
        min(width, max(1, round(image.width * scale))),
        min(height, max(1, round(image.height * scale))),
    )
    small = image.resize(inner, Resampling.BILINEAR) if inner != image.size else image
    frame = Image.new(image.mode, (width, height), _border_colour(small))
    frame.paste(small, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return frame


def _border_colour(image: Image.Image) -> int | tuple[int, ...]:
    """The median of the outermost pixels: black around a digit on black, white around a page."""
    array = np.asarray(image)
    edges = np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])
    median = np.median(edges, axis=0)
    return tuple(int(v) for v in median) if median.ndim else int(median)
