"""NumPy arrays from Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from linewise.foundations.errors import DataError
from linewise.images.sources.base import Found, RawPart, Request, names_of, same_number
from linewise.images.sources.values import to_images


def read_arrays(images: Any, labels: Any, request: Request, where: str = "arrays") -> Found:
    """Images `NHW`, `NHWC` or `NCHW` of any number type, and one label each, numbers or strings."""
    if images is None or labels is None:
        raise DataError("images without labels", where=where, expected="two arrays: images and labels")
    arrays = {"train": (np.asarray(images), np.asarray(labels))}
    return from_pairs(arrays, request, where)


def from_pairs(pairs: dict[str, tuple[np.ndarray, np.ndarray]], request: Request, where: str) -> Found:
    """Images and labels by split, of any number type."""
    findings = request.findings
    for split, (images, labels) in pairs.items():
        if images.ndim and labels.ndim:
            same_number(split, len(images), len(labels), where)
    images_of = to_images({split: images for split, (images, _) in pairs.items()}, findings, where)
    for array in images_of.values():
        findings.sizes[array.shape[1], array.shape[2]] += len(array)
        findings.modes["colour" if array.shape[3] == 3 else "grey"] += len(array)
    return Found({split: RawPart(images_of[split], names_of(pairs[split][1], where)) for split in pairs})
