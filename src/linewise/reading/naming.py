"""Readings by name: the words of the grammar, what they mean, and the errors of those who mistype.

rows | columns | rowsN | columnsN [-strideM]        windows of N lines, every M-th
pixels | snake | spiral-in | spiral-out | hilbert | zorder | permuted[SEED]
patchesP[-ORDER]                                    patches of P×P pixels, in any of these orders
READING-outwards                                    from the middle outwards, two steps together
READING-reversed                                    from the last step to the first
READING+READING                                     several readers of one image
"""

from __future__ import annotations

import re

from linewise.foundations.errors import ConfigError, unknown_name
from linewise.reading.base import Outwards, Reading, Reversed
from linewise.reading.cells import Cells
from linewise.reading.lines import Columns, Rows
from linewise.reading.orders import ORDERS, Order, permuted

EXAMPLES: dict[str, str] = {
    "rows": "one row of pixels, from top to bottom",
    "columns": "one column of pixels, from left to right",
    "rows5-stride2": "a window of 5 rows, every second row",
    "columns5-stride2": "a window of 5 columns, every second column",
    "pixels": "one pixel, line by line",
    "snake": "one pixel, left to right and back again",
    "spiral-in": "one pixel, from the corner to the middle",
    "spiral-out": "one pixel, from the middle to the corner",
    "hilbert": "one pixel along a Hilbert curve",
    "zorder": "one pixel in Z-order",
    "permuted0": "one pixel in a random order, the same for all images",
    "patches4": "a patch of 4×4 pixels, line by line",
    "patches4-snake": "a patch of 4×4 pixels, left to right and back again",
    "patches4-spiral-in": "a patch of 4×4 pixels, from the corner to the middle",
    "patches4-hilbert": "a patch of 4×4 pixels along a Hilbert curve",
    "rows-outwards": "two rows of pixels, from the middle outwards",
    "rows-reversed": "one row of pixels, from bottom to top",
}
"""One of each kind, and what a step of it is."""
WORDS = ("rows", "columns", "pixels", *[o for o in ORDERS if o != "raster"], "permuted", "patches")
_MOST = 4096
MOST_READERS = 64


def parse(text: str) -> tuple[Reading, ...]:
    """Readings from a text such as `rows` or `rows+columns` (two readers whose answers are joined).

    Raises:
        ConfigError: an unknown name, a number out of range, or the same reading twice.

    >>> parse("rows5-stride2+hilbert-reversed")
    (Reading('rows5-stride2'), Reading('hilbert-reversed'))
    """
    parts = text.split("+")
    if len(parts) > MOST_READERS:
        raise ConfigError(f"{len(parts):,} readings of one image", expected=f"at most {MOST_READERS}")
    readings = tuple(_parse_one(part) for part in parts)
    if len(set(readings)) < len(readings):
        raise ConfigError(f"reading {text!r} names the same reading twice", expected="different readings")
    return readings


def _parse_one(text: str) -> Reading:
    body = text.removesuffix("-reversed")
    if body.endswith("-reversed"):
        raise ConfigError(f"reading {text[:80]!r} is reversed twice", expected="-reversed once, or not at all")
    if body != text:
        return Reversed(_parse_one(body))
    body = text.removesuffix("-outwards")
    if body.endswith(("-outwards", "-reversed")):
        raise ConfigError(f"reading {text[:80]!r}", expected="-outwards once, before -reversed")
    if body != text:
        return Outwards(_parse_one(body))
    if found := re.fullmatch(r"(rows|columns)(\d*)(?:-stride(\d+))?", text):
        lines, size, stride = found[1], _number(text, found[2], 1), _number(text, found[3], 1)
        if stride > size:
            raise ConfigError(
                f"reading {text!r} leaves out {lines}: windows of {size} every {stride}",
                expected=f"a stride of at most {size}",
            )
        return Rows(size, stride) if lines == "rows" else Columns(size, stride)
    if found := re.fullmatch(r"patches(\d+)(?:-(.+))?", text):
        patch, (path, order) = _number(text, found[1], 1), _path(text, found[2] or "raster")
        suffix = "" if path == "raster" else f"-{path}"
        if patch == 1:  # one pixel: the path alone
            return Cells("pixels" if path == "raster" else path, order)
        return Cells(f"patches{patch}{suffix}", order, patch)
    if text == "pixels":
        return Cells(text, ORDERS["raster"])
    if text == "raster":
        raise unknown_name("reading", text, WORDS)
    return Cells(*_path(text, text))


def _path(text: str, name: str) -> tuple[str, Order]:
    """A path over a grid, and its name."""
    if found := re.fullmatch(r"permuted(\d{0,9})", name):
        seed = int(found[1] or 0)
        return f"permuted{seed}", permuted(seed)
    if name not in ORDERS:
        raise unknown_name("reading", text[:80], {*WORDS, *EXAMPLES})
    return name, ORDERS[name]


def _number(text: str, digits: str | None, default: int) -> int:
    number = int(digits[:9]) if digits else default
    if not 1 <= number <= _MOST:
        raise ConfigError(f"{number} in the reading {text[:80]!r}", expected=f"a whole number from 1 to {_MOST:,}")
    return number
