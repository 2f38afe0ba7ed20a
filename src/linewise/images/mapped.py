"""Images in a file, read as they are asked for: sets that do not fit in memory.

A NumPy memory map would do the same with less code, but each of its pages counts as memory of the process that
touched it until the system takes it back; what is read with `preadv` leaves nothing behind but the page cache.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linewise.foundations.errors import DataError

MOST_BUFFERS, MOST_BYTES = 1024, 1 << 30
"""Of one call to `preadv`: what POSIX systems take at least, and less than Linux reads at once."""

BLOCK_BYTES = 4 << 20


class Mapped:
    """Rows of an `.npy` file of uint8 images `NHWC`. Indexing reads them into a new array.

    It can be pickled, and read by several threads; each process opens the file for itself.

    Args:
        path: an `.npy` file.
        rows_N: which rows of the file, in which order; None takes all.
        channels: the first so many channels are given out; None takes all.

    Attributes:
        shape: as an array of these images would have.
        stored: rows of the file.
        start: where in the file the first of them begins, in bytes.

    Raises:
        DataError: there is no such file, or it holds no such images.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, path: Path, rows_N: np.ndarray | None = None, channels: int | None = None) -> None:
        self.path, self.rows_N, self.channels = Path(path), rows_N, channels
        self._file, self._lock = -1, threading.Lock()
        try:
            with open(self.path, "rb") as file:
                if np.lib.format.read_magic(file) != (1, 0):
                    raise ValueError("another version of the format")
                shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)
                self.start = file.tell()
        except FileNotFoundError:
            raise self._gone() from None
        except (OSError, ValueError) as error:
            raise self._broken(str(error)) from None
        if dtype != np.uint8 or by_column or len(shape) != 4:
            raise self._broken(f"{dtype} of shape {shape}")
        self.stored: int = shape[0]
        self._row: tuple[int, int, int] = shape[1:]
        number = shape[0] if rows_N is None else len(rows_N)
        self.shape: tuple[int, int, int, int] = (number, shape[1], shape[2], channels or shape[3])

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def rows(self) -> np.ndarray:
        """Which rows of the file these images are, int64."""
        return np.arange(self.stored) if self.rows_N is None else self.rows_N

    def take(self, index: np.ndarray | slice) -> Mapped:
        """Some of these images, still in the file."""
        return Mapped(self.path, self.rows[index], self.channels)

    def first_channel(self) -> Mapped:
        """The same images in grey, where all channels are the same."""
        return Mapped(self.path, self.rows_N, 1)

    def __getitem__(self, index: int | slice | np.ndarray | Sequence[int]) -> np.ndarray:
        """A new array, equal to what indexing an array of these images along its first axis gives."""
        if isinstance(index, int | np.integer):
            return self[np.array([index])][0]
        if isinstance(index, slice):
            chosen = range(len(self))[index]
            index_n = np.arange(chosen.start, chosen.stop, chosen.step)
        else:
            index_n = np.asarray(index)
            index_n = np.flatnonzero(index_n) if index_n.dtype == bool else index_n.astype(np.int64, copy=False)
        if index_n.size and not -len(self) <= index_n.min() <= index_n.max() < len(self):
            raise IndexError(f"images {index_n.min()} to {index_n.max()} of {len(self)}")
        index_n = np.where(index_n < 0, index_n + len(self), index_n)
        return self._read(index_n if self.rows_N is None else self.rows_N[index_n])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("images on disk become an array by being read")
        return self[:] if dtype is None else self[:].astype(dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "rows_N": self.rows_N, "channels": self.channels}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def __del__(self) -> None:
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)

    def _read(self, rows_n: np.ndarray) -> np.ndarray:
        """Rows of the file, in the order asked for; neighbours in the file are read together."""
        out = np.empty((len(rows_n), *self._row), np.uint8)
        row_bytes = int(np.prod(self._row))
        places = out.reshape(len(rows_n), row_bytes)
        if len(rows_n) and row_bytes:
            order_n = np.argsort(rows_n, kind="stable")
            sorted_n = rows_n[order_n]
            in_order = bool((np.diff(order_n) == 1).all())
            most = max(1, min(MOST_BYTES // row_bytes, len(rows_n) if in_order else MOST_BUFFERS))
            ends = np.append(np.flatnonzero(np.diff(sorted_n) != 1) + 1, len(rows_n)).tolist()
            start = 0
            for end in ends:
                for first in range(start, end, most):
                    last = min(end, first + most)
                    if in_order:
                        buffers = [places[first:last].data.cast("B")]
                    else:
                        buffers = [places[place].data for place in order_n[first:last].tolist()]
                    self._fill(buffers, self.start + int(sorted_n[first]) * row_bytes)
                start = end
        return out if self.channels is None else np.ascontiguousarray(out[..., : self.channels])

    def _fill(self, buffers: list[memoryview], offset: int) -> None:
        """Read on from `offset` into one buffer after the other."""
        wanted = sum(len(buffer) for buffer in buffers)
        try:
            got = os.preadv(self._opened(), buffers, offset) if hasattr(os, "preadv") else 0
            if got < wanted:  # interrupted, or no such call on this system
                got = self._fill_slowly(buffers, offset)
        except OSError as error:
            raise self._broken(error.strerror or "read error") from None
        if got < wanted:
            raise self._broken("it ends early")

    def _fill_slowly(self, buffers: list[memoryview], offset: int) -> int:
        got, descriptor = 0, self._opened()
        with self._lock, open(descriptor, "rb", buffering=0, closefd=False) as file:
            file.seek(offset)
            for buffer in buffers:
                done = 0
                while done < len(buffer) and (more := file.readinto(buffer[done:])):
                    done += more
                got += done
        return got

    def _opened(self) -> int:
        """The open file. It stays open, so that it can be read on when the cache is cleared meanwhile."""
        with self._lock:
            if self._file < 0:
                try:
                    self._file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                except FileNotFoundError:
                    raise self._gone() from None
            return self._file

    def _gone(self) -> DataError:
        return DataError(
            "the decoded images are gone from the cache",
            where=str(self.path),
            mend="the same command decodes them again",
        )

    def _broken(self, why: str) -> DataError:
        return DataError(
            f"the decoded images cannot be read ({why})",
            where=str(self.path),
            expected="the file that Linewise wrote",
            mend="remove it: linewise data cache --clear",
        )


Images = np.ndarray | Mapped
"""uint8 `NHWC`, in memory or on disk."""


def select(images_NHWC: Images, index: np.ndarray | slice) -> Images:
    """Some images; those on disk stay there."""
    return images_NHWC.take(index) if isinstance(images_NHWC, Mapped) else images_NHWC[index]


def in_blocks(images_NHWC: Images, most_bytes: int = BLOCK_BYTES) -> Iterator[np.ndarray]:
    """All images, a few megabytes at a time."""
    number = max(1, most_bytes // max(1, int(np.prod(images_NHWC.shape[1:]))))
    for start in range(0, len(images_NHWC), number):
        yield np.ascontiguousarray(images_NHWC[start : start + number])


def joined(parts: Sequence[Images]) -> Images:
    """Images of several parts, one after the other; those of one file on disk stay there."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, Mapped) and all(isinstance(p, Mapped) and p.path == first.path for p in parts):
        rows = np.concatenate([part.rows for part in parts if isinstance(part, Mapped)])
        return Mapped(first.path, rows, first.channels)
    return np.concatenate([np.asarray(part) for part in parts])
