"""What a user can choose about images and splits."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from linewise.foundations.errors import ConfigError
from linewise.foundations.records import Record, describe

Fit = Literal["letterbox", "crop", "stretch"]
Channels = Literal["auto", "grey", "colour"]
MAX_SIDE = 4096
"""Largest height or width that can be asked for, in pixels."""


class Options(Record):
    """Base of the options: a wrong one is a `ConfigError`, not pydantic's."""

    def __init__(self, **values: Any) -> None:
        known = type(self).model_fields
        for key in values:
            if key not in known:
                near = get_close_matches(key, known, n=1, cutoff=0.5)
                mend = f"did you mean {near[0]!r}?" if near else ""
                raise ConfigError(f"unknown option {key!r}", expected=f"one of {', '.join(known)}", mend=mend)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise describe(error, where=type(self).__name__, kind=ConfigError) from None


class ImageOptions(Options):
    """How images are read.

    Attributes:
        size: height and width in pixels; None takes the common size of the images, or for mixed sizes one near
            their median, stated as a warning.
        fit: `letterbox` keeps the whole image and its proportions, with bars in the colour of its border; `crop`
            keeps the proportions and fills the frame from the middle; `stretch` does neither.
        channels: `auto` is grey when no image has colour.
        max_megapixels: larger images are refused before they are decoded.
        skip_unreadable: leave out files that cannot be decoded, with a warning, instead of refusing the data.
    """

    size: tuple[int, int] | None = None
    fit: Fit = "letterbox"
    channels: Channels = "auto"
    max_megapixels: float = Field(default=50.0, gt=0)
    skip_unreadable: bool = False

    @field_validator("size")
    @classmethod
    def _positive(cls, size: tuple[int, int] | None) -> tuple[int, int] | None:
        if size is not None and not all(1 <= side <= MAX_SIDE for side in size):
            raise ValueError(f"height and width from 1 to {MAX_SIDE} pixels")
        return size


class SplitOptions(Options):
    """Which images train, choose and examine the networks.

    Attributes:
        images: number of training images, balanced over the classes as far as the data allow; None takes all, or
            what is usual for a data set known by name (40,000 for MNIST).
        validation: a share of the training images (0.2) or a number (10000), where the data hold no validation
            images; None is 20 %, or what is usual for a data set known by name.
        test: the same for test images.
        split_seed: decides which images go where.
        allow_leaks: accept the same image in two splits, as a warning.
    """

    images: int | None = Field(default=None, ge=2)
    validation: float | int | None = None
    test: float | int | None = None
    split_seed: int = 0
    allow_leaks: bool = False

    @field_validator("validation", "test")
    @classmethod
    def _share(cls, value: float | int | None) -> float | int | None:
        if (
            value is None
            or (isinstance(value, int) and value >= 1)
            or (isinstance(value, float) and 0 < value < 1)
        ):
            return value
        raise ValueError("a share between 0 and 1, such as 0.2, or a whole number of images")


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Height and width from `28` or `32x48`.

    Raises:
        ConfigError: anything else.

    >>> parse_size("32x48")
    (32, 48)
    >>> parse_size("28")
    (28, 28)
    """
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d{1,5})\s*(?:[xX×]\s*(\d{1,5})\s*)?", text)
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise ConfigError(
            f"{text!r} is no size",
            where="--size",
            expected=f"HEIGHTxWIDTH in pixels, such as 32x48, or one number such as 28; at most {MAX_SIDE}",
        )
    return size


def parse_share(text: str | None, *, where: str) -> float | int | None:
    """A share such as `0.2` or `20%`, or a number of images such as `10000`.

    Raises:
        ConfigError: anything else, naming the option `where`.
    """
    if text is None:
        return None
    try:
        if text.strip().endswith("%"):
            value: float | int = float(text.strip()[:-1]) / 100
        else:
            value = int(text) if text.strip().isdecimal() else float(text)
    except ValueError:
        value = 0
    if (isinstance(value, int) and value >= 1) or (isinstance(value, float) and 0 < value < 1):
        return value
    raise ConfigError(
        f"{text!r} is neither a share nor a number of images",
        where=where,
        expected="a share between 0 and 1, such as 0.2, or a whole number, such as 10000",
    )
