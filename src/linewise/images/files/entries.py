"""Names, sizes and times of a million files, in some forty bytes each beside the letters of their names."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import overload

import numpy as np


@dataclass(frozen=True, slots=True)
class Entry:
    """An image file: its path below the root (with `/`), its size in bytes, and when it was changed."""

    name: str
    size: int
    changed_ns: int


class Files(Sequence[Entry]):
    """Entries in the order in which they were added, kept as bytes: as objects a million would take 400 MB."""

    def __init__(self) -> None:
        self._names, self._ends = bytearray(), array("q", [0])
        self._sizes, self._changed = array("q"), array("q")

    def append(self, name: str, size: int, changed_ns: int) -> None:
        self._names += os.fsencode(name)
        self._ends.append(len(self._names))
        self._sizes.append(size)
        self._changed.append(changed_ns)

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        i = range(len(self))[index]
        return Entry(self.name(i), self._sizes[i], self._changed[i])

    def name(self, i: int) -> str:
        return os.fsdecode(bytes(self._names[self._ends[i] : self._ends[i + 1]]))

    def without(self, left_out: np.ndarray) -> Files:
        """The others.

        Args:
            left_out: bool, one per file.
        """
        kept = Files()
        for i in np.flatnonzero(~left_out).tolist():
            kept.append(self.name(i), self._sizes[i], self._changed[i])
        return kept

    def digest(self) -> bytes:
        """SHA-256 over all of it."""
        said = sha256(self._names)
        for numbers in (self._ends, self._sizes, self._changed):
            said.update(np.asarray(numbers, "<i8").data)
        return said.digest()


class Names(Sequence[str]):
    """Names of some files, as text that can be printed, made when they are asked for.

    Args:
        index_n: which of the files; None takes all.
    """

    def __init__(self, files: Files, index_n: np.ndarray | None = None) -> None:
        self.files, self.index_n = files, np.arange(len(files)) if index_n is None else index_n

    def __len__(self) -> int:
        return len(self.index_n)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [shown(self.files.name(int(i))) for i in self.index_n[index]]
        return shown(self.files.name(int(self.index_n[index])))

    def __iter__(self) -> Iterator[str]:
        return (shown(self.files.name(i)) for i in self.index_n.tolist())

    def take(self, index_n: np.ndarray) -> Names:
        """Some of them."""
        return Names(self.files, self.index_n[index_n])


def shown(name: str) -> str:
    """A file name that can be printed and stored, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "replace")
