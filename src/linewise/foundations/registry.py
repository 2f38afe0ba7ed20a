"""Names for things: explicit registration beside the definition, helpful answers to unknown names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Generic, TypeVar

from linewise.foundations.errors import unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """A table from names to entries of one kind.

    >>> cells = Registry[int]("cell")
    >>> cells.add("lstm", 4)
    4
    >>> cells["lstm"]
    4
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Register `entry` under `name`; a name can be taken once (ValueError: our own mistake)."""
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._entries[name] = entry
        return entry

    def register(self, name: str) -> Callable[[T], T]:
        """`add` as a decorator."""
        return lambda entry: self.add(name, entry)

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            raise unknown_name(self.kind, name, self._entries)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def names(self, pattern: str = "*") -> list[str]:
        """Registered names that match a shell pattern, in order of registration."""
        return [name for name in self._entries if fnmatchcase(name, pattern)]
