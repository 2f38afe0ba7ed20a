"""Memory that a process has freed is kept for its next tensors, where the C library lets us ask for that."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # numbers of mallopt(3)


def keep_freed_memory(keep: bool = True) -> bool:
    """Ask glibc not to give large blocks back to the system after every step.

    By default each tensor above 32 MB is mapped afresh and its pages are cleared when first touched, over and
    over; over 784 steps that is a third to a half of the time of a training step (benchmarks/recurrences.py).
    Values are not changed by it.

    Args:
        keep: False restores glibc's defaults.

    Returns:
        Whether the C library understood; elsewhere nothing changes.
    """
    library = _glibc()
    if library is None:
        return False
    blocks, trim = (0, 2**31 - 1) if keep else (65536, 128 * 1024)
    return bool(library.mallopt(_MMAP_MAX, blocks)) and bool(library.mallopt(_TRIM_THRESHOLD, trim))


def give_back_freed_memory() -> bool:
    """Give what is free now to the system, once; a worker does so between two runs.

    Returns:
        Whether there was something to give, and a C library that could.
    """
    library = _glibc()
    return library is not None and bool(library.malloc_trim(0))


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Free at the end what was made meanwhile, even where it holds itself in circles, and give the memory back.

    To look through all that was there before, such as torch's modules, would take half a second each time, so the
    collector does not (`gc.freeze`).
    """
    ours = not gc.get_freeze_count()
    if ours:
        gc.freeze()
    try:
        yield
        gc.collect()
    finally:
        if ours:
            gc.unfreeze()
    give_back_freed_memory()


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL(None)
        return library if library.mallopt and library.malloc_trim else None
    except (OSError, AttributeError):  # another C library
        return None
