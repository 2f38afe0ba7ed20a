"""What a reading is, and the table of readings.

A reading turns an image into a sequence, as a page becomes a sequence of lines. It has no weights.
To add one, write a file like `rows.py` and name it in `reading/__init__.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from linewise.foundations.errors import ConfigError
from linewise.foundations.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


class Reading(ABC):
    """An order in which the pixels of an image are read, and how many of them make a step."""

    @abstractmethod
    def num_steps(self, height: int, width: int) -> int:
        """T, the number of steps for an image of this size."""

    @abstractmethod
    def num_features(self, channels: int, height: int, width: int) -> int:
        """D, the numbers in one step."""

    @abstractmethod
    def read(self, x_BCHW: Tensor) -> Tensor:
        """Images as sequences, `x_BTD`."""

    @abstractmethod
    def unread(self, x_BTD: Tensor, channels: int, height: int, width: int) -> Tensor:
        """The inverse of `read`: sequences as images, `x_BCHW`."""


READINGS: Registry[Reading] = Registry("reading")


def parse(text: str) -> tuple[Reading, ...]:
    """Readings from a text such as `rows` or `rows+columns` (two readers whose answers are joined).

    Raises:
        ConfigError: an unknown name, or the same reading twice.
    """
    names = text.split("+")
    if len(set(names)) < len(names):
        raise ConfigError(f"reading {text!r} names the same reading twice", expected="different readings")
    return tuple(READINGS[name] for name in names)
