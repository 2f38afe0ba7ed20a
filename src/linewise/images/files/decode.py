"""One image file, from bytes to uint8; what is wrong comes back as a sentence, not as an exception."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

    from linewise.images.preprocessing import Geometry

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000", "AVIF")
"""What Pillow may try; formats that start other programs (EPS) are not among them."""
_SUFFIXES = "png apng jpg jpeg jpe jfif jif webp tif tiff bmp dib gif ppm pgm pbm pnm jp2 j2k avif mpo"
SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
MEND = "replace the file by a whole image, or take it out"
DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    IndexError,
    KeyError,
    ArithmeticError,
    EOFError,
    MemoryError,
)
"""What Pillow raises on damaged files."""


@dataclass(frozen=True)
class Header:
    """What a file says about itself before it is decoded."""

    height: int
    width: int
    mode: str
    frames: int


@dataclass(frozen=True)
class Decoded:
    """One image as uint8 `HWC`, and whether its channels differ anywhere."""

    image_HWC: np.ndarray
    coloured: bool


def read_header(path: str | Path | IO[bytes], max_megapixels: float) -> Header | str:
    """Size (with the EXIF orientation applied) and mode; a sentence when the file is no image or too large."""
    try:
        with _open(path) as image:
            if problem := _too_large(image, max_megapixels):
                return problem
            width, height = image.size
            if _turned(image):
                width, height = height, width
            return Header(height, width, image.mode, int(getattr(image, "n_frames", 1)))
    except Exception as error:  # decoders raise anything on damaged files
        return _sentence(path, error)


def starts_an_image(content: bytes) -> bool:
    """Whether these bytes begin as an image does; it may be cut off or damaged further on."""
    from PIL import UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _open(io.BytesIO(content)).close()
    except UnidentifiedImageError:
        return False
    except Exception:  # decoders raise anything on damaged files
        return True
    return True


def decode(file: str | Path | IO[bytes], geometry: Geometry, max_megapixels: float) -> Decoded | str:
    """Decode a file and bring it to a shape; a sentence when that cannot be done.

    Image bombs are refused from their header. A damaged file is refused although part of it could be shown.
    """
    try:
        with warnings.catch_warnings():  # Pillow warns of odd EXIF and of large images; our own cap decides
            warnings.simplefilter("ignore")
            return _decode(file, geometry, max_megapixels)
    except Exception as error:  # decoders raise anything on damaged files
        return _sentence(file, error)


def decode_quietly(file: str | Path | IO[bytes], geometry: Geometry, max_megapixels: float) -> Decoded | str:
    """`decode` for use in threads: the caller has silenced warnings, which Python does for all threads at once."""
    try:
        return _decode(file, geometry, max_megapixels)
    except Exception as error:  # decoders raise anything on damaged files
        return _sentence(file, error)


def _decode(file: str | Path | IO[bytes], geometry: Geometry, max_megapixels: float) -> Decoded | str:
    with _open(file) as image:
        if problem := _too_large(image, max_megapixels):
            return problem
        image_HWC = geometry.apply(image)
    first = image_HWC[:, :, :1]
    return Decoded(image_HWC, bool((image_HWC != first).any()))


def _open(file: str | Path | IO[bytes]) -> Image:
    from PIL import Image

    if isinstance(file, str | Path) and not os.path.isfile(file):
        raise FileNotFoundError("is not a regular file" if os.path.exists(file) else "does not exist")
    return Image.open(file, formats=_formats())


@cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow was built with."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _too_large(image: Image, max_megapixels: float) -> str:
    width, height = image.size
    if width * height <= max_megapixels * 1e6:
        return ""
    return f"is {height:,} × {width:,} pixels, more than {max_megapixels:g} megapixels"


def _turned(image: Image) -> bool:
    try:
        return image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception:  # damaged EXIF is taken as none
        return False


def _sentence(file: str | Path | IO[bytes], error: BaseException) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, PermissionError):
        return "may not be read (permission denied)"
    if isinstance(error, FileNotFoundError):
        return str(error) if not error.errno else "does not exist"
    if isinstance(error, UnidentifiedImageError):
        return _what_else(file)
    if isinstance(error, Image.DecompressionBombError):
        return "is far too large an image"
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    text = str(error)
    if "truncated" in text or isinstance(error, EOFError | IndexError):
        return "is cut off: the image ends early"
    if isinstance(error, ValueError) and text.startswith("holds "):
        return text
    return "is damaged: it cannot be decoded"


def _what_else(file: str | Path | IO[bytes]) -> str:
    if not isinstance(file, str | Path):
        return "is no image"
    with open(file, "rb") as raw:
        start = raw.read(64)
    if not start:
        return "is empty"
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "is an HTML page, no image"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start):
        return "is text, no image"
    return "is no image"
