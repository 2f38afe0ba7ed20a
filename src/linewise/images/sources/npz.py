"""NumPy archives: `images` and `labels`, or one such pair per split. Pickled arrays are never read."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from linewise.foundations.errors import DataError
from linewise.images.checking.findings import listed
from linewise.images.sources.arrays import from_pairs
from linewise.images.sources.base import MAX_BYTES, Found, Request, Source

_WHOLE = {"train": (("images", "labels"), ("x", "y"), ("X", "y"), ("data", "labels"), ("data", "target"))}
_SPLIT_WORDS = {"train": ("train",), "validation": ("validation", "val", "valid"), "test": ("test",)}
_EXPECTED = "arrays images and labels, or x_train, y_train, x_test, y_test (and x_validation, y_validation)"


class NpzFile(Source):
    """One `.npz` file."""

    kind = "npz"
    about = "an .npz file with images and labels, or x_train, y_train, x_test, y_test"

    def recognises(self, path: Path) -> bool:
        return path.is_file() and path.suffix.lower() == ".npz"

    def read(self, path: Path, request: Request) -> Found:
        where = str(path)
        try:
            with zipfile.ZipFile(path) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
                pairs = _pairs(names)
                if "train" not in pairs:
                    raise DataError(
                        f"holds the arrays {listed(names)}" if names else "holds no arrays",
                        where=where,
                        expected=_EXPECTED,
                    )
                arrays = {
                    split: (_read(archive, x, where), _read(archive, y, where)) for split, (x, y) in pairs.items()
                }
        except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError):
            raise DataError(
                "is damaged or no .npz file", where=where, expected=_EXPECTED, mend="save or download it again"
            ) from None
        except PermissionError:
            raise DataError(
                "may not be read (permission denied)", where=where, mend="check its permissions"
            ) from None
        return from_pairs(arrays, request, where)


def _pairs(names: list[str]) -> dict[str, tuple[str, str]]:
    """Names of images and labels by split."""
    found = {}
    for split, words in _SPLIT_WORDS.items():
        styles = [
            (x, y)
            for word in words
            for x, y in (
                (f"x_{word}", f"y_{word}"),
                (f"X_{word}", f"y_{word}"),
                (f"{word}_images", f"{word}_labels"),
                (f"{word}_x", f"{word}_y"),
                (f"images_{word}", f"labels_{word}"),
            )
        ]
        for x, y in [*styles, *_WHOLE.get(split, ())]:
            if x in names and y in names:
                found[split] = (x, y)
                break
    return found


def _read(archive: zipfile.ZipFile, name: str, where: str) -> np.ndarray:
    where = f"{where}, {name}"
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > MAX_BYTES or info.file_size > 2**28 + 200 * info.compress_size:
        raise DataError(
            f"unpacks from {info.compress_size:,} to {info.file_size:,} bytes",
            where=where,
            expected="images or labels",
        )
    with archive.open(info) as file:
        try:
            array = np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            if "allow_pickle" in str(error) or "Object arrays" in str(error):
                raise DataError(
                    "is a pickled array, which is never read",
                    where=where,
                    expected="numbers or strings",
                    mend="save it with a plain type, such as labels.astype(str)",
                ) from None
            raise DataError("cannot be read as an array", where=where, expected="a whole .npy array") from None
        file.read(1)  # at the end the checksum is compared
    return array
