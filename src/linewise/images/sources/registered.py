"""All sources, and how the one for some data is found. A new format is added to `SOURCES` here."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from linewise.foundations.errors import DataError
from linewise.images.sources.arrays import read_arrays
from linewise.images.sources.base import Found, Request, Source
from linewise.images.sources.csv_file import CsvFile
from linewise.images.sources.digits import read_digits
from linewise.images.sources.folder import ClassFolders
from linewise.images.sources.idx import IdxFolder
from linewise.images.sources.named import NAMED
from linewise.images.sources.npz import NpzFile
from linewise.images.splits import Usual

Data = str | Path | tuple[np.ndarray, np.ndarray]
SOURCES: tuple[Source, ...] = (NpzFile(), CsvFile(), IdxFolder(), ClassFolders())
"""In the order in which they are asked."""


@dataclass(frozen=True)
class Opened:
    """A source that was found, not read yet."""

    name: str
    kind: str
    where: str
    read: Callable[[Request], Found]
    usual: Usual = field(default_factory=Usual)
    official: bool = False


def open_source(data: Data, request: Request) -> Opened:
    """Find out what `data` is.

    Raises:
        DataError: neither a known name nor a file or folder of a known kind.
    """
    if isinstance(data, tuple):
        images, labels = data
        return Opened("arrays", "arrays", "arrays", lambda r: read_arrays(images, labels, r))
    if isinstance(data, str) and data == "digits":
        return Opened("digits", "digits", "digits", lambda r: read_digits(r.findings))
    if isinstance(data, str) and data in NAMED:
        known = NAMED[data]
        path = known.find(request.data_dir)
        return Opened(
            data, known.source.kind, str(path), lambda r: known.read(path, r), known.usual, official=True
        )
    path = Path(data).expanduser()
    source = _recognise(path, str(data))
    name = path.resolve().name if path.name in ("", ".", "..") else path.name
    return Opened(name or "data", source.kind, str(path), lambda r: source.read(path, r))


def _recognise(path: Path, data: str) -> Source:
    expected = "a folder of class folders, IDX files, a CSV file or an .npz file"
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        raise _missing(path, data) from None
    except PermissionError:
        raise DataError("may not be read (permission denied)", where=data, mend="check its permissions") from None
    except OSError as error:
        if "loop" in str(error).lower() or "symbolic" in str(error).lower():
            raise DataError("is a symbolic link that leads to itself", where=data, expected=expected) from None
        raise DataError(f"cannot be opened ({error.strerror})", where=data, expected=expected) from None
    except ValueError:
        raise DataError("is no path", where=repr(data), expected=expected) from None
    if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind)):
        raise DataError("is neither a file nor a folder", where=data, expected=expected)
    try:
        for source in SOURCES:
            if source.recognises(path):
                return source
    except PermissionError as error:
        raise DataError(
            "may not be read (permission denied)", where=str(error.filename or data), mend="check its permissions"
        ) from None
    mend = "name the folder that holds it" if path.name.lower().endswith((".gz", "ubyte", ".idx")) else ""
    raise DataError("is not data that Linewise reads", where=data, expected=expected, mend=mend)


def _missing(path: Path, data: str) -> DataError:
    names = ["digits", *NAMED]
    near = get_close_matches(data.lower(), names, n=1, cutoff=0.6)
    if not near and path.parent.is_dir():
        near = get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1, cutoff=0.6)
        near = [str(path.parent / n) for n in near]
    return DataError(
        "there is no such data set, file or folder",
        where=data,
        expected=f"a path, or one of {', '.join(names)}",
        mend=f"did you mean {near[0]!r}?" if near else "",
    )
