"""Images with their labels, ready for use; the test images sealed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from linewise.foundations.records import DataRecord
from linewise.images.mapped import Images

if TYPE_CHECKING:
    from linewise.images.preprocessing import Preprocessing


@dataclass(frozen=True)
class Part:
    """Images of one split.

    Attributes:
        images_NHWC: uint8, one channel (grey) or three; in memory, a read-only memory map, or `Mapped`, which is
            indexed like an array and reads from disk what is asked for.
        labels_N: int64, indices into the class names.
        names: where the images come from, relative to the data, where there are such names.
    """

    images_NHWC: Images
    labels_N: np.ndarray
    names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.labels_N)

    def counts(self, num_classes: int) -> list[int]:
        """Images per class."""
        return np.bincount(self.labels_N, minlength=num_classes).tolist()


@dataclass(frozen=True)
class Chosen(Part):
    """Images to evaluate a saved model on.

    Attributes:
        split: `train`, `validation` or `test`; `all` where the data have no splits.
        warnings: what a person should know about them.
    """

    split: str = "all"
    warnings: list[str] = field(default_factory=list)


class SealedPart:
    """The test images. They are given out with a reason only, which is noted first.

    >>> part = Part(np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1]))
    >>> notes = []
    >>> len(SealedPart(part).open("the study has ended", notes.append)), notes
    (2, ['the study has ended'])
    """

    def __init__(self, part: Part) -> None:
        self.__part = part

    def __len__(self) -> int:
        return len(self.__part)

    def counts(self, num_classes: int) -> list[int]:
        """Images per class; this does not break the seal."""
        return self.__part.counts(num_classes)

    def open(self, reason: str, log: Callable[[str], None]) -> Part:
        """Break the seal.

        Args:
            reason: why, for the record; not empty.
            log: notes the reason; it is called before any image is given out, and when it raises, none is.
        """
        if not reason.strip():
            raise ValueError("the test images are opened with a reason only")
        log(reason)
        return self.__part

    def __repr__(self) -> str:
        return f"SealedPart({len(self)} images)"

    def __getattr__(self, name: str) -> NoReturn:
        if name in ("images_NHWC", "labels_N", "names"):
            raise AttributeError(f"the test images are sealed; .{name} is had from .open(reason, log)")
        raise AttributeError(f"SealedPart has no attribute {name!r}")


@dataclass(frozen=True)
class ImageSet:
    """Images that were read, checked and split.

    Attributes:
        name: such as `mnist`, or the name of a folder.
        class_names: the one class map; a label is an index into it.
        preprocessing: turns any image into what the networks see.
        record: the same for the study's files, with the result of the check.
        warnings: what a person should know, one sentence each.
    """

    name: str
    train: Part
    validation: Part
    test: SealedPart
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    record: DataRecord
    warnings: list[str]
