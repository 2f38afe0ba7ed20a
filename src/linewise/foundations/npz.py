"""NumPy archives read with suspicion: no pickles, no more memory than the file can hold, checksums compared.

`numpy.load` trusts an array's header: it takes the memory that is declared there before it reads a byte, and a
text of wrong bytes becomes an array whose first use fails. Here the header is compared with the archive's own
table first.
"""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

MOST_PACKED = 1032
"""DEFLATE packs no more bytes than this into one."""
FREE_BYTES, BOMB_RATIO = 2**26, 200
"""Archives that unpack to more than the first, at more than the second, hold no records."""
BLOCK = 2**22
KINDS = "buifcUSMm"
"""Of numbers and texts; structures and objects are never read."""


class NpzError(ValueError):
    """An archive or array that is not read.

    Args:
        reason: what is wrong, to be put after the file's name.
        array: which array is wrong; empty where it is the archive.
        pickled: it holds Python objects.
    """

    def __init__(self, reason: str, array: str = "", pickled: bool = False) -> None:
        self.reason, self.array, self.pickled = reason, array, pickled
        super().__init__(f"{array}: {reason}" if array else reason)


class Npz:
    """An open archive.

    Attributes:
        names: of its arrays.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int, free_bytes: int) -> None:
        self._archive, self._size, self._left = archive, size, max(free_bytes, BOMB_RATIO * size)
        self.names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

    def size(self, name: str) -> int:
        """Bytes of an array, as the archive's table says."""
        return self._archive.getinfo(f"{name}.npy").file_size

    def read(self, name: str) -> np.ndarray:
        """One array.

        Raises:
            NpzError: it is damaged, pickled, or larger than it can honestly be. OSError: the disk fails.
        """
        info = self._archive.getinfo(f"{name}.npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NpzError("is packed in a way that numpy does not use", name)
        if info.compress_size > self._size or info.file_size > MOST_PACKED * (info.compress_size + 1):
            raise NpzError("is damaged", name)
        self._left -= info.file_size
        if self._left < 0:
            raise NpzError(f"unpacks from {info.compress_size:,} to {info.file_size:,} bytes", name)
        try:
            with self._archive.open(info) as file:
                return _read(file, name, info.file_size)
        except NpzError:
            raise
        except Exception as error:  # zipfile, zlib and numpy raise anything on damaged files
            raise NpzError(_because(error), name) from None


@contextmanager
def open_npz(path: Path, free_bytes: int = FREE_BYTES) -> Iterator[Npz]:
    """An archive, opened.

    Args:
        free_bytes: what it may unpack to however small it is.

    Raises:
        NpzError: it is none. OSError: it cannot be opened.
    """
    with open(path, "rb") as raw:
        size = os.fstat(raw.fileno()).st_size
        try:
            archive = zipfile.ZipFile(raw)
        except Exception as error:  # zipfile raises anything on damaged files
            raise NpzError(_because(error)) from None
        with archive:
            yield Npz(archive, size, free_bytes)


def _read(file: IO[bytes], name: str, size: int) -> np.ndarray:
    dtype, shape, by_column = _read_header(file, name)
    declared = math.prod(shape) * dtype.itemsize
    if declared != size - file.tell():
        raise NpzError(f"declares {declared:,} bytes and holds {size - file.tell():,}", name)
    values, done = np.empty(declared, np.uint8), 0
    while done < declared:
        block = file.read(min(BLOCK, declared - done))
        if not block:
            raise NpzError("is cut off", name)
        values[done : done + len(block)] = np.frombuffer(block, np.uint8)
        done += len(block)
    file.read(1)  # at the end the checksum is compared
    if dtype.kind == "b":
        values = (values != 0).view(np.uint8)
    array = values.view(dtype)
    if dtype.kind == "U":
        _check_text(array, name)
    return array.reshape(shape[::-1]).T if by_column else array.reshape(shape)


def _read_header(file: IO[bytes], name: str) -> tuple[np.dtype, tuple[int, ...], bool]:
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise NpzError(f"is in version {version[0]}.{version[1]} of numpy's format", name)
    with warnings.catch_warnings():  # of headers that Python 2 wrote
        warnings.simplefilter("ignore")
        shape, by_column, dtype = readers[version](file)
    if dtype.hasobject:
        raise NpzError("holds pickled objects", name, pickled=True)
    if dtype.kind not in KINDS or not dtype.itemsize or min(shape, default=0) < 0:
        raise NpzError(f"is of type {str(dtype)[:40]} and shape {str(shape)[:60]}", name)
    return dtype, shape, by_column


def _check_text(array: np.ndarray, name: str) -> None:
    """Refuse numbers that are no characters; Python cannot make a text of them."""
    points = array.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    if points.size and (points.max() > 0x10FFFF or bool(((points >= 0xD800) & (points < 0xE000)).any())):
        raise NpzError("holds texts that are no Unicode", name)


def _because(error: Exception) -> str:
    said = str(error).splitlines()[0][:200] if str(error) else ""
    return said or type(error).__name__
