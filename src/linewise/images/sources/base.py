"""What every source has in common.

A new format is one file with a subclass of `Source`, added to the list in `linewise.images.sources.registered`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from linewise.foundations.errors import DataError
from linewise.images.checking.findings import Findings
from linewise.images.mapped import Images
from linewise.images.options import ImageOptions
from linewise.images.preprocessing import Geometry

SPLITS = ("train", "validation", "test")
MAX_BYTES = 16 * 2**30
"""More bytes of decoded images than this are refused."""


@dataclass
class RawPart:
    """Images of one split as a source gives them.

    Attributes:
        images_NHWC: uint8.
        labels_N: class names, an array of strings or, so that a long name is kept once only, of string objects.
        names: file names where there are any.
    """

    images_NHWC: Images
    labels_N: np.ndarray
    names: Sequence[str] | None = None


@dataclass
class Found:
    """What a source holds.

    Attributes:
        parts: by split; always with `train`, which holds everything when there are no splits.
        coloured: whether any image has colour, where the source already knows.
        geometry: set when the images have been brought to their shape already.
    """

    parts: dict[str, RawPart]
    coloured: bool | None = None
    geometry: Geometry | None = None


@dataclass
class Request:
    """How images are to be read.

    Attributes:
        geometry: the shape of a saved model; None lets the images decide.
        data_dir: where named data sets lie.
        progress: bars on a terminal.
    """

    options: ImageOptions = field(default_factory=ImageOptions)
    geometry: Geometry | None = None
    data_dir: Path | None = None
    progress: bool = False
    findings: Findings = field(default_factory=Findings)


class Source(ABC):
    """One kind of data on disk."""

    kind: ClassVar[str]
    about: ClassVar[str]

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether `path`, a file or folder that exists, is of this kind. Cheap: names and first bytes only."""

    @abstractmethod
    def read(self, path: Path, request: Request) -> Found:
        """Read all of it.

        Raises:
            DataError: it cannot be used.
        """


def names_of(labels_N: np.ndarray, where: str, class_names: Sequence[str] | None = None) -> np.ndarray:
    """Class names from labels of any kind.

    Args:
        labels_N: whole numbers, whole floats, booleans or strings, `N` or `N1`.
        class_names: what the numbers 0, 1, … stand for; None leaves the numbers.

    Raises:
        DataError: labels that are none.
    """
    labels = np.asarray(labels_N)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(
            f"labels of shape {shape_text(labels)}",
            where=where,
            expected="one label per image, shape N",
            mend="for one-hot labels use labels.argmax(1)" if labels.ndim == 2 else "",
        )
    if labels.dtype == object and all(isinstance(label, str) for label in labels):
        labels = labels.astype(str)
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "b":
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "U":
        names = labels.astype(str)
        if (bad := np.flatnonzero(np.char.strip(names) == "")).size:
            raise DataError(f"the label of image {bad[0]:,} is empty", where=where, expected="a class name")
        return names
    if labels.dtype.kind not in "iu":
        raise DataError(
            f"labels of type {labels.dtype}", where=where, expected="whole numbers or strings, one per image"
        )
    if class_names is None:
        values, inverse = np.unique(labels, return_inverse=True)
        return values.astype(str)[inverse]
    beyond = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
    if beyond.size:
        raise DataError(
            f"label {labels[beyond[0]]} of image {beyond[0]:,} is beyond the classes",
            where=where,
            expected=f"0 to {len(class_names) - 1}",
        )
    return np.array(class_names)[labels]


def same_number(part: str, num_images: int, num_labels: int, where: str) -> None:
    """Refuse unequal numbers of images and labels."""
    if num_images != num_labels:
        raise DataError(
            f"{num_images:,} images but {num_labels:,} labels",
            where=where,
            expected=f"one label for each image of {part}",
            mend="check that the two belong together",
        )
    if num_images == 0:
        raise DataError(f"no images of {part}", where=where, expected="at least two of each class")


def shape_text(array: np.ndarray) -> str:
    """
    >>> shape_text(np.zeros((2, 3)))
    '2×3'
    """
    return "×".join(str(n) for n in array.shape) or "a single number"
