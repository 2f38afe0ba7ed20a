"""Folders in MNIST's own format: `train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte.gz` and so on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from linewise.foundations.amounts import count
from linewise.foundations.errors import DataError
from linewise.images.sources.base import Found, RawPart, Request, Source, names_of, same_number
from linewise.images.sources.idx_file import read_idx
from linewise.images.sources.values import to_images

_NAME = re.compile(
    r"(?P<set>.*[-_.])?(?P<split>train|t10k|test|validation|valid|val)[-_.]?(?P<what>images|labels)\b.*", re.I
)
_SPLIT = {"t10k": "test", "valid": "validation", "val": "validation"}
_OTHER_THINGS = re.compile(r"\.(npz?|csv|md5|sha\d*|txt|part|partial|html?)$", re.I)


class IdxFolder(Source):
    """Pairs of images and labels in a folder, or in `raw/` or `MNIST/raw/` below it, as in torchvision."""

    kind = "idx"
    about = "a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and the same for t10k, .gz or not"

    def recognises(self, path: Path) -> bool:
        return self.folder(path) is not None

    @staticmethod
    def folder(path: Path) -> Path | None:
        """The folder that holds the files: `path` itself or one of torchvision's below it."""
        candidates = (
            [path, path / "raw", *(p / "raw" for p in sorted(path.glob("*MNIST")))] if path.is_dir() else []
        )
        return next((c for c in candidates if c.is_dir() and _pairs(c)), None)

    def read(self, path: Path, request: Request, classes: Sequence[str] | None = None) -> Found:
        folder = self.folder(path)
        if folder is None:
            raise DataError("no IDX files", where=str(path), expected=self.about)
        files = _pairs(folder)
        if len(sets := sorted({name for name, _, _ in files})) > 1:
            raise DataError(
                f"several data sets: {', '.join(name.rstrip('-_.') or '(no name)' for name in sets)}",
                where=str(folder),
                expected="one data set per folder",
                mend="move each into a folder of its own",
            )
        found = {(split, what): file for (_, split, what), file in files.items()}
        splits = [s for s in ("train", "validation", "test") if (s, "images") in found or (s, "labels") in found]
        for split in splits:
            for what, other in (("images", "labels"), ("labels", "images")):
                if (split, what) not in found:
                    raise DataError(
                        f"{found[split, other].name} without its {what}",
                        where=str(folder),
                        expected=_partner(found[split, other].name, other, what),
                    )
        images, labels = {}, {}
        for split in splits:
            images[split], labels[split] = _read_pair(
                found[split, "images"], found[split, "labels"], split, classes
            )
        if splits == ["test"]:
            images, labels = {"train": images["test"]}, {"train": labels["test"]}
        elif "train" not in splits:
            raise DataError("no training images", where=str(folder), expected="train-images-idx3-ubyte")
        images_of = to_images(images, request.findings, str(folder))
        for array in images_of.values():
            request.findings.sizes[array.shape[1], array.shape[2]] += len(array)
            request.findings.modes["colour" if array.shape[3] == 3 else "grey"] += len(array)
        return Found({split: RawPart(images_of[split], labels[split]) for split in images_of})


def _partner(name: str, what: str, other: str) -> str:
    """
    >>> _partner("t10k-images-idx3-ubyte.gz", "images", "labels")
    't10k-labels-idx1-ubyte.gz'
    """
    dims = {"images": "idx3", "labels": "idx1"}
    return name.replace(what, other).replace(dims[what], dims[other])


def _pairs(folder: Path) -> dict[tuple[str, str, str], Path]:
    """(data set, split, images or labels) → file; the unpacked file where both are there."""
    found: dict[tuple[str, str, str], Path] = {}
    for file in sorted(folder.iterdir(), reverse=True):  # "x" after "x.gz"
        match = _NAME.fullmatch(file.name)
        if match and not file.name.startswith(".") and not _OTHER_THINGS.search(file.name) and not file.is_dir():
            split = match["split"].lower()
            found[(match["set"] or "").lower(), _SPLIT.get(split, split), match["what"].lower()] = file
    return found


def _read_pair(
    images_file: Path, labels_file: Path, split: str, classes: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray]:
    images, labels = read_idx(images_file), read_idx(labels_file)
    if images.ndim == 1 and labels.ndim >= 3:
        raise DataError(
            f"holds labels, and {labels_file.name} holds images",
            where=str(images_file),
            expected=f"images in {images_file.name}, labels in {labels_file.name}",
            mend="swap the names of the two files",
        )
    for array, file, wanted, dims in (
        (images, images_file, "images", (3, 4)),
        (labels, labels_file, "labels", (1,)),
    ):
        if array.ndim not in dims:
            raise DataError(
                f"an array of {count(array.ndim, 'dimension')}",
                where=str(file),
                expected=f"{wanted}: {' or '.join(map(str, dims))} dimension{'s' if dims != (1,) else ''}",
            )
    same_number(split, len(images), len(labels), f"{images_file}, {labels_file.name}")
    return images, names_of(labels, str(labels_file), classes)
