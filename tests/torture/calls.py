"""System calls that fail: the Nth write, fsync or rename of this process, as a disk that is full or dying has it.

Files that are opened for writing are given a raw file whose `write` is counted; all above it, from buffers to
`numpy` and `zipfile`, is what it always is. Nothing but the one call fails.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KINDS = ("write", "fsync", "rename")
ERRORS = (errno.ENOSPC, errno.EIO)


@dataclass
class Counts:
    """What was called beneath a folder.

    Attributes:
        calls: by kind.
        told: the file of each call, by kind, in order.
        failed: the call that was made to fail, if it came to it.
    """

    root: Path
    calls: Counter[str] = field(default_factory=Counter)
    told: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    failed: str = ""


class _Raw(io.FileIO):
    """A file whose writes are counted."""

    tally: Callable[[str, str], None]

    def write(self, data: Any) -> int:
        self.tally("write", str(self.name))
        return super().write(data)


class _Buffered(io.BufferedIOBase):
    """A buffer that NumPy does not take for a C file, behind whose back it would write."""

    def __init__(self, raw: _Raw, size: int) -> None:
        self._inner = io.BufferedWriter(raw, size)
        self.name = raw.name

    def __getattribute__(self, name: str) -> Any:
        own = ("_inner", "name", "__class__", "__dict__", "__enter__", "__exit__", "__iter__")
        return object.__getattribute__(self, name) if name in own else getattr(self._inner, name)


@contextmanager
def counted(root: Path, kind: str = "", at: int = 0, code: int = 0, lasting: bool = False) -> Iterator[Counts]:
    """Count calls on files beneath `root`; let call number `at` (from 1) of a kind fail with `code`.

    Args:
        lasting: all calls from that one on fail, of every kind, as on a disk that stays full.
    """
    counts, inside = Counts(root), f"{root.resolve()}{os.sep}"
    real_open, real_fsync, real_replace, real_rename = io.open, os.fsync, os.replace, os.rename
    broken = False

    def tally(what: str, file: str) -> None:
        nonlocal broken
        if not os.path.realpath(file).startswith(inside):
            return
        counts.calls[what] += 1
        counts.told[what].append(os.path.relpath(os.path.realpath(file), inside))
        if broken or (what == kind and counts.calls[what] == at):
            counts.failed = counts.failed or counts.told[what][-1]
            broken = lasting
            raise OSError(code, os.strerror(code))

    def open_(file: Any, mode: str = "r", buffering: int = -1, *more: Any, **named: Any) -> Any:
        plain = mode.replace("b", "").replace("t", "")
        if plain not in ("w", "a", "x") or isinstance(file, int) or named.get("opener"):
            return real_open(file, mode, buffering, *more, **named)
        raw = _Raw(file, plain)
        raw.tally = tally
        if buffering == 0:
            return raw
        buffered = _Buffered(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *more, **named)  # type: ignore[arg-type]

    def fsync(descriptor: int) -> None:
        tally("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))
        real_fsync(descriptor)

    def replace(source: Any, target: Any, **named: Any) -> None:
        tally("rename", os.fspath(target))
        real_replace(source, target, **named)

    def rename(source: Any, target: Any, **named: Any) -> None:
        tally("rename", os.fspath(target))
        real_rename(source, target, **named)

    builtins.open = io.open = open_  # type: ignore[assignment]
    os.fsync, os.replace, os.rename = fsync, replace, rename  # type: ignore[assignment]
    try:
        yield counts
    finally:
        builtins.open = io.open = real_open
        os.fsync, os.replace, os.rename = real_fsync, real_replace, real_rename
