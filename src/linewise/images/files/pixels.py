"""Pixels of any kind become 8-bit grey or colour, then the shape that is asked for."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps
from PIL.Image import Resampling

from linewise.images.options import Fit

GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; damaged EXIF is taken as none. Decodes the image."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # whatever Pillow makes of damaged EXIF
        return image


def plain(image: Image.Image) -> Image.Image:
    """Mode `L` or `RGB`, 8 bit, without alpha.

    16-bit pixels are scaled from 0..65535, where Pillow's own conversion cuts them off at 255. What is transparent
    is shown on white, so that colour hidden under alpha 0 does not matter.

    Raises:
        ValueError: pixels without a known scale.
    """
    mode = image.mode
    if mode in ("L", "RGB") and "transparency" not in image.info:
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
