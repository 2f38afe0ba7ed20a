"""A picture from the page, from base64 to what a network sees; refused in a sentence where that cannot be."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from typing import Annotated

import numpy as np
from pydantic import Field

from linewise.images.drawing import prepare_drawing
from linewise.images.files.decode import DAMAGE, decode
from linewise.images.files.pixels import plain, upright
from linewise.images.preprocessing import Preprocessing
from linewise.serve.desk import Served
from linewise.serve.errors import Refused

Base64 = Annotated[
    str,
    Field(min_length=1, max_length=16 << 20, description="A PNG or JPEG, in base64.", examples=["iVBORw0KGgo="]),
]
LONGEST = 1024
"""Pixels of the longer side of a drawing that is looked at; a larger one is made smaller first."""


def prepare(served: Served, data: str, drawn: bool, max_megapixels: float) -> np.ndarray:
    """A picture as the network sees it, uint8 `HWC`.

    Args:
        data: base64.
        drawn: it is ink on paper, to be centred and scaled as the training images were.

    Raises:
        Refused: 422, no base64, no image, or damaged; 413, too many pixels.
    """
    preprocessing = served.answerer.preprocessing
    if drawn and preprocessing.channels == 1:
        trained_on = str(served.saved.card.trained.get("data") or "mnist")
        return prepare_ink(data, preprocessing, trained_on, max_megapixels)
    found = decode(io.BytesIO(_bytes(data)), preprocessing, max_megapixels)
    if isinstance(found, str):
        too_many = "more than" in found or "too large" in found
        raise Refused(*((413, "Too many pixels") if too_many else (422, "Not an image")), f"The picture {found}.")
    return found.image_HWC


def _bytes(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, "Not valid", "image: is not base64") from None


def prepare_ink(data: str, preprocessing: Preprocessing, trained_on: str, max_megapixels: float) -> np.ndarray:
    """A drawing as a network of one channel sees it, uint8 `HWC`.

    Args:
        data: base64.
        trained_on: name of the data whose way of lying in the image it is brought to.

    Raises:
        Refused: 422, as `prepare`.
    """
    from PIL import Image

    raw = _bytes(data)
    try:
        with warnings.catch_warnings():  # of odd EXIF and of large images; our own cap decides
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(raw), formats=("PNG", "JPEG")) as opened:
                if opened.width * opened.height > max_megapixels * 1e6:
                    raise Refused(
                        413, "Too many pixels", f"The picture has more than {max_megapixels:g} megapixels."
                    )
                image = upright(opened)
                deep = image.mode in ("I", "F") or image.mode.startswith(
                    "I;16"
                )  # which Pillow would cut off at 255
                image = (plain(image) if deep else image).convert("RGBA")
    except Image.DecompressionBombError:
        raise Refused(413, "Too many pixels", "The picture is far too large an image.") from None
    except DAMAGE:
        raise Refused(422, "Not an image", "The picture is no whole PNG or JPEG.") from None
    image.thumbnail((LONGEST, LONGEST))
    return prepare_drawing(image, preprocessing, trained_on)
