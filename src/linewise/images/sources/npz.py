"""NumPy archives: `images` and `labels`, or one such pair per split. Pickled arrays are never read."""

from __future__ import annotations

from pathlib import Path

from linewise.foundations.errors import DataError
from linewise.foundations.memory import check_fits
from linewise.foundations.npz import NpzError, open_npz
from linewise.images.checking.findings import listed
from linewise.images.sources.arrays import from_pairs
from linewise.images.sources.base import Found, Request, Source

FREE_BYTES = 2**28
"""What an archive may unpack to, however small it is; beyond, 200 bytes per byte."""
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
            with open_npz(path, FREE_BYTES) as archive:
                pairs = _pairs(archive.names)
                if "train" not in pairs:
                    raise DataError(
                        f"holds the arrays {listed(archive.names)}" if archive.names else "holds no arrays",
                        where=where,
                        expected=_EXPECTED,
                    )
                check_fits(sum(archive.size(x) for x, _ in pairs.values()), "its images", where)
                arrays = {split: (archive.read(x), archive.read(y)) for split, (x, y) in pairs.items()}
        except NpzError as error:
            raise _refused(error, where) from None
        except PermissionError:
            raise DataError(
                "may not be read (permission denied)", where=where, mend="check its permissions"
            ) from None
        except OSError as error:
            raise DataError(f"cannot be read ({error.strerror})", where=where) from None
        return from_pairs(arrays, request, where)


def _refused(error: NpzError, where: str) -> DataError:
    if error.pickled:
        return DataError(
            "is a pickled array, which is never read",
            where=f"{where}, {error.array}",
            expected="numbers or strings",
            mend="save it with a plain type, such as labels.astype(str)",
        )
    if error.array and error.reason.startswith("unpacks "):
        return DataError(error.reason, where=f"{where}, {error.array}", expected="images or labels")
    return DataError(
        "is damaged or no .npz file", where=where, expected=_EXPECTED, mend="save or download it again"
    )


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
