"""Tables of grey images as Kaggle's Digit Recognizer has them: `label,pixel0,pixel1,…`, one line per image."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from linewise.foundations.errors import DataError
from linewise.foundations.memory import check_fits
from linewise.images.checking.findings import listed
from linewise.images.files.listing import SPLIT_NAMES
from linewise.images.sources.arrays import from_pairs
from linewise.images.sources.base import Found, Request, Source

LONGEST_LINE = 2**22
_LABEL_NAMES = ("label", "class", "target", "y")
_EXPECTED = "label,pixel0,pixel1,… and one line per square grey image"


@dataclass(frozen=True)
class Layout:
    """How a line is to be read: whether there is a header, and where the label stands (0 first, -1 last)."""

    header: bool
    label_at: int | None
    num_columns: int
    separator: str


class CsvFile(Source):
    """One CSV file, or a folder with `train.csv` and perhaps `validation.csv` and `test.csv`."""

    kind = "csv"
    about = "a CSV file with label,pixel0,…, or a folder with train.csv and test.csv"

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            return "train" in _files(path)
        return path.suffix.lower() in (".csv", ".tsv")

    def read(self, path: Path, request: Request) -> Found:
        files = _files(path) if path.is_dir() else {"train": path}
        pairs = {}
        for split in ("train", "validation", "test"):
            if split not in files:
                continue
            layout = read_layout(files[split])
            if layout.label_at is None:
                if split == "train":
                    raise DataError("no column of labels", where=str(files[split]), expected=_EXPECTED)
                request.findings.warn("no_labels", f"{files[split].name} has no labels: left out")
                continue
            # A cell takes 2 to 4 bytes with its comma, and 4 as a number.
            check_fits(files[split].stat().st_size, "its numbers", str(files[split]))
            pairs[split] = read_table(files[split], layout)
        return from_pairs(pairs, request, str(path))


def _files(folder: Path) -> dict[str, Path]:
    found = {}
    for file in sorted(folder.iterdir()):
        match = re.fullmatch(r"(?:.*[-_])?([a-z]+)\.csv", file.name, re.I)
        split = SPLIT_NAMES.get(match[1].lower()) if match else None
        if split and file.is_file():
            if split in found:
                raise DataError(
                    f"two files for the {split} images: {found[split].name} and {file.name}",
                    where=str(folder),
                    expected="one",
                )
            found[split] = file
    return found


def _lines(path: Path) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8-sig", newline=None) as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), ""), 1):
                if len(line) > LONGEST_LINE:
                    raise DataError(
                        f"is longer than {LONGEST_LINE:,} characters",
                        where=f"{path}, line {number}",
                        expected="one image per line",
                    )
                yield line
    except UnicodeDecodeError:
        raise DataError("is not text in UTF-8", where=str(path), expected=_EXPECTED) from None
    except PermissionError:
        raise DataError(
            "may not be read (permission denied)", where=str(path), mend="check its permissions"
        ) from None


def read_layout(path: Path) -> Layout:
    """Read the first line.

    Raises:
        DataError: the file is empty or its first line does not fit a table of square images.
    """
    first = next(_lines(path), "")
    if not first.strip():
        raise DataError("is empty", where=str(path), expected=_EXPECTED)
    separator = max(",;\t", key=first.count)
    cells = [cell.strip().strip('"') for cell in first.split(separator)]
    header = not all(_is_number(cell) for cell in cells[1:])
    label_at: int | None = 0
    if header:
        at = [i for i, cell in enumerate(cells) if cell.lower() in _LABEL_NAMES]
        label_at = at[0] if at else None
        if label_at is not None and label_at == len(cells) - 1:
            label_at = -1
        if label_at not in (0, -1, None):
            raise DataError(
                f"column {label_at + 1} holds the labels",
                where=f"{path}, line 1",
                expected="the first or the last column",
            )
    num_pixels = len(cells) - (label_at is not None)
    if num_pixels < 4 or round(num_pixels**0.5) ** 2 != num_pixels:
        colour = num_pixels % 3 == 0 and round((num_pixels / 3) ** 0.5) ** 2 == num_pixels // 3
        raise DataError(
            f"{num_pixels:,} pixel columns",
            where=f"{path}, line 1",
            expected="a square number, such as 784 = 28×28",
            mend="save colour images as .npz or as image files" if colour else "",
        )
    return Layout(header, label_at, len(cells), separator)


def read_table(path: Path, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Images `NHW` and labels `N`, numbers where all are whole numbers, else strings."""
    labels: list[str] = []
    numbers: list[int] = []

    def pixels() -> Iterator[str]:
        for number, line in enumerate(_lines(path), 1):
            if (number == 1 and layout.header) or not line.strip():
                continue
            if '"' in line:
                line = line.replace('"', "")
            if layout.label_at == 0:
                label, _, rest = line.partition(layout.separator)
            else:
                rest, _, label = line.rpartition(layout.separator)
            labels.append(label.strip())
            numbers.append(number)
            yield rest

    rows = pixels()
    first = next(rows, None)
    if first is None:
        raise DataError("holds no images", where=str(path), expected=_EXPECTED)
    try:
        with warnings.catch_warnings():  # of lines without a single pixel, which are refused below
            warnings.simplefilter("ignore")
            values = np.loadtxt(
                chain([first], rows), dtype=np.int32, delimiter=layout.separator, ndmin=2, comments=None
            )
    except ValueError:
        raise _first_wrong(path, layout) from None
    side = round((layout.num_columns - 1) ** 0.5)
    if values.shape != (len(labels), side * side) or values.min() < 0 or values.max() > 255:
        raise _first_wrong(path, layout)
    if empty := [str(numbers[i]) for i, label in enumerate(labels) if not label]:
        raise DataError(f"no label in line {listed(empty)}", where=str(path), expected=_EXPECTED)
    images_NHW = values.astype(np.uint8).reshape(-1, side, side)
    if all(re.fullmatch(r"-?[0-9]{1,18}(\.0+)?", label) for label in set(labels)):
        return images_NHW, np.array([int(label.partition(".")[0]) for label in labels])
    return images_NHW, np.array(labels)


def _first_wrong(path: Path, layout: Layout) -> DataError:
    """Find the line and column that cannot be read."""
    names: list[str] = []
    for number, line in enumerate(_lines(path), 1):
        cells = [cell.strip().strip('"') for cell in line.rstrip("\r\n").split(layout.separator)]
        if number == 1 and layout.header:
            names = cells
            continue
        if not line.strip():
            continue
        if len(cells) != layout.num_columns:
            return DataError(
                f"{len(cells):,} columns",
                where=f"{path}, line {number}",
                expected=f"{layout.num_columns:,} columns",
            )
        for i, cell in enumerate(cells):
            is_label = i == (layout.label_at if layout.label_at == 0 else len(cells) - 1)
            if not is_label and not (re.fullmatch(r"\+?0*[0-9]{1,3}", cell) and int(cell[-3:]) <= 255):
                column = f"column {i + 1}" + (f" ({names[i]})" if names else "")
                return DataError(
                    f"{cell[:40]!r}", where=f"{path}, line {number}, {column}", expected="a whole number 0..255"
                )
    return DataError("cannot be read as a table", where=str(path), expected=_EXPECTED)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
