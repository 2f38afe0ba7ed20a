"""Layer 1: what is recognised. Sources, checks, splits, preprocessing, batches.

>>> from linewise.images import load
>>> load("digits").class_names
('0', '1', '2', '3', '4', '5', '6', '7', '8', '9')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from linewise.images.checking.check import DataCheck
    from linewise.images.loading import check, load, load_for
    from linewise.images.options import ImageOptions, SplitOptions, parse_share, parse_size
    from linewise.images.preprocessing import Preprocessing, read_image
    from linewise.images.sets import Chosen, ImageSet, Part, SealedPart

_WHERE = {
    "Chosen": "sets",
    "DataCheck": "checking.check",
    "ImageOptions": "options",
    "ImageSet": "sets",
    "Part": "sets",
    "Preprocessing": "preprocessing",
    "SealedPart": "sets",
    "SplitOptions": "options",
    "check": "loading",
    "load": "loading",
    "load_for": "loading",
    "parse_share": "options",
    "parse_size": "options",
    "read_image": "preprocessing",
}

__all__ = [
    "Chosen",
    "DataCheck",
    "ImageOptions",
    "ImageSet",
    "Part",
    "Preprocessing",
    "SealedPart",
    "SplitOptions",
    "check",
    "load",
    "load_for",
    "parse_share",
    "parse_size",
    "read_image",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _WHERE:
        return getattr(import_module(f"linewise.images.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'linewise.images' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
